"""What the rules about people and their logins say, for the catalogue."""

from station.handlers.marking import N_

PEOPLE_SENTENCES = (
    N_("there is no role %(name)s; choose %(names)s"),
    N_("there is no role %(name)s"),
    N_("there is no permission %(name)s"),
    N_("user %(name)s exists already"),
    N_("role %(name)s exists already"),
    N_("%(name)s is not a user name: letters, digits, . _ - (1 to 32)"),
    N_("%(name)s is not a role's name: letters, digits, . _ - (1 to 32)"),
    N_("nobody changes the own role or areas: ask another administrator"),
    N_("nobody shuts out themselves: ask another administrator"),
    N_("another administrator resets yours; your own is under Change password"),
    N_("there is no login %(key)s"),
    N_("there is no device %(key)s"),
    N_("expected 1 to %(most)s days"),
    N_("%(name)s is kept out"),
    N_("%(name)s has %(count)s tokens already: end one first"),
    N_("the person has no permission %(name)s"),
    N_("codes are asked for already: turn them off first"),
    N_("no codes are being set up: begin anew"),
    N_("this is not the code: look whether the telephone's clock is right"),
    N_("nobody gives or takes what they may not do themselves"),
    N_("%(name)s may do more than you: ask an administrator"),
    N_("there are %(count)s roles already"),
    N_("role %(name)s is that of %(count)s people: give them another one first"),
    N_("the administrator's role may always do everything"),
    N_("%(name)s is the last administrator"),
)
