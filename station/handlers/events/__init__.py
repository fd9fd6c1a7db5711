"""What devices told, and what needs a person now: events, alarms and their rules."""
