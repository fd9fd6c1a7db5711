"""The forms of sentences that alarms and their rules say in English, for the catalogue."""

from station.handlers.marking import N_

ALARM_SENTENCES = (
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
    N_("there is no alarm %(key)s"),
)
