"""Words and sentence forms of the archive: kinds of places, stages, fields, what was refused."""

from collections.abc import Mapping

from station.handlers.marking import N_

PLACE_KINDS: Mapping[str, str] = {
    "organisation": N_("organisation"),
    "substation": N_("substation"),
    "line": N_("power line"),
    "area": N_("transformer area"),
}
STAGE_NAMES: Mapping[str, str] = {
    "planned": N_("planned"),
    "installed": N_("installed"),
    "active": N_("active"),
    "suspended": N_("suspended"),
    "removed": N_("removed"),
}
STAGE_HELP: Mapping[str, str] = {
    "planned": N_("It will be there. No task reads it."),
    "installed": N_("It is there and being tried: read it by hand, no task reads it."),
    "active": N_("Tasks read it."),
    "suspended": N_("It is there, but tasks leave it out for a while."),
    "removed": N_("It is gone. Its readings and its history stay; nothing is sent to it."),
}
OBJECT_NAMES: Mapping[str, str] = {
    "terminal": N_("Terminal"),
    "channel": N_("Channel"),
    "meter": N_("Meter"),
    "place": N_("Place"),
}
ACT_NAMES: Mapping[str, str] = {
    "added": N_("added"),
    "changed": N_("changed"),
    "removed": N_("taken out"),
}
FIELD_NAMES: Mapping[str, str] = {
    "id": N_("Id"),
    "address": N_("Address"),
    "name": N_("Name"),
    "kind": N_("Kind"),
    "parent": N_("Hangs on"),
    "code": N_("Code"),
    "protocol": N_("Protocol"),
    "link": N_("Terminal or channel"),
    "point": N_("Measuring point"),
    "port": N_("Port of the terminal"),
    "line": N_("Line settings"),
    "profile_interval_min": N_("Load profile"),
    "tariffs": N_("Number of rates"),
    "groups": N_("Groups"),
    "place": N_("Place"),
    "ct": N_("CT ratio"),
    "pt": N_("PT ratio"),
    "stage": N_("Stage"),
    "stage_since": N_("In this stage since"),
    "registration": N_("Registration packet"),
    "heartbeat": N_("Heartbeat packet"),
    "echo": N_("Wants its packets back"),
    "parallel_ports": N_("One question for each port at a time"),
    "collects": N_("Collects by itself"),
    "url": N_("Device or URL"),
    "enabled": N_("Switched on"),
    "wait_ms": N_("Longer wait, in ms"),
    "gap_ms": N_("Quiet before a question, in ms"),
    "reopen_after": N_("Opened anew after"),
    "retry_max_s": N_("Tried again after, in s"),
}

ARCHIVE_SENTENCES = (
    N_("there is no place %(key)s"),
    N_("there is no kind of place %(key)s"),
    N_("there is no stage %(key)s"),
    N_("the code %(key)s is taken by another place"),
    N_("there is a place %(key)s under the same place already"),
    N_("a place cannot hang below itself"),
    N_("a tree has at most %(limit)s levels"),
    N_("a place needs a name"),
    N_("places hang in the order organisation, substation, power line, transformer area"),
    N_("a slash with blanks around it stands between names of places"),
    N_("%(text)s is not 32 letters, digits, dots or dashes at most"),
    N_("no one place is called %(name)s"),
    N_("%(name)s still hangs on this place"),
    N_("there is no terminal or meter %(key)s"),
    N_("it has to hang on a place of yours"),
    N_("%(key)s is removed: nothing is sent to it"),
    N_("meter %(key)s has been changed meanwhile; look at it again"),
    N_("meter %(key)s is in use; it cannot replace another"),
    N_("these are its ratios already"),
    N_("something was exchanged at this meter later than that"),
    N_("the total register is needed"),
    N_("%(item)s is no register that is written down"),
    N_("a register shows 0 to 999999.99, not %(value)s"),
    N_("a register has at most %(limit)s decimals, not %(value)s"),
    N_("%(text)s is not a number"),
    N_("this moment has not come yet"),
)
