"""The forms of sentences that alarms and their rules say in English, for the catalogue."""

from station.handlers.marking import N_

ALARM_SENTENCES = (
    N_("%(name)s cannot see to this alarm"),
    N_("%(number)s of %(whole)s meters do not answer"),
    N_("%(number)s of %(whole)s links are away; %(told)s of them said that their power goes"),
    N_("%(number)s of %(whole)s links are away"),
    N_("it is over"),
    N_("part of a wider alarm now"),
    N_("the device says that it is over"),
    N_("alarm %(key)s is acknowledged already"),
    N_("alarm %(key)s is cleared already"),
    N_("alarm %(key)s has changed meanwhile; look at it again"),
    N_("alarm %(key)s clears itself when its cause is gone; acknowledge it, or mute it"),
    N_("there is no alarm rule %(key)s"),
    N_("there is no alarm %(key)s"),
    N_("there is no kind of alarm %(key)s"),
    N_("name at least one e-mail address or URL"),
    N_("%(target)s is not an e-mail address"),
    N_("%(target)s is not a URL such as https://example.org/alarms"),
    N_("%(text)s is not a time such as 22:00"),
    N_("quiet hours begin and end at two different times"),
    N_("%(number)s rules are enough; remove some first"),
    N_("mail server %(place)s does not take mail for %(names)s"),
    N_("mail server %(place)s: %(reason)s"),
    N_("%(way)s is not set up on this station"),
    N_("%(host)s: answered %(status)s"),
    N_("no answer in time"),
    N_("it was over before"),
    N_("the rule is gone, or switched off"),
    N_("too many messages waited"),
)
