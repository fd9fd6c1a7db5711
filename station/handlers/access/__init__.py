"""Who may come in and do what: people, roles, logins, tokens; and the log of what they did."""
