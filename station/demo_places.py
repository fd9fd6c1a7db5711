"""The places of the demonstration: an organisation down to the areas that its terminals serve."""

from typing import Literal

from station.collector.archive import Archive
from station.store.objects.base import new_id
from station.store.objects.places import Place
from station.words import Text

BY = "demo"
COUNTY = Text("County grid", "县供电公司")
# Substation, power line, transformer area, its code, and the terminal that serves it.
AREAS = (
    (Text("East substation", "东城变电站"), Text("Riverside line", "河畔线"),
     Text("Riverside 1", "河畔1号台区"), "TQ-0001", "99000001"),
    (Text("East substation", "东城变电站"), Text("Riverside line", "河畔线"),
     Text("Market street", "集市街台区"), "TQ-0002", "99000002"),
    (Text("East substation", "东城变电站"), Text("Station line", "车站线"),
     Text("Station road", "车站路台区"), "TQ-0005", "99000005"),
    (Text("East substation", "东城变电站"), Text("Station line", "车站线"),
     Text("New town", "新城台区"), "TQ-0006", "990000000006"),
    (Text("West substation", "西郊变电站"), Text("Works line", "工坊线"),
     Text("Workshop park", "工坊园区台区"), "TQ-0003", "99000003"),
    (Text("West substation", "西郊变电站"), Text("Works line", "工坊线"),
     Text("Waterworks", "自来水厂台区"), "TQ-0007", "waterworks"),
    (Text("West substation", "西郊变电站"), Text("Country line", "农排线"),
     Text("Pumping stations", "灌溉泵站台区"), "TQ-0004", "99000004"),
)  # fmt: skip


async def fill(archive: Archive, language: Literal["en", "zh"]) -> None:
    """Enter the places and hang the terminals on them, unless there are places already."""
    if (await archive.places()).by_id:
        return
    made: dict[tuple[str, ...], str] = {}

    async def place(kind: str, path: tuple[str, ...], code: str = "") -> str:
        if path not in made:
            made[path] = new_id()
            entered = Place(made[path], kind, path[-1], made.get(path[:-1], ""), code)
            await archive.add_place(entered, by=BY)
        return made[path]

    for *names, code, terminal in AREAS:
        words = [name.zh if language == "zh" else name.en for name in (COUNTY, *names)]
        path: tuple[str, ...] = ()
        for kind, word in zip(("organisation", "substation", "line"), words, strict=False):
            path = (*path, word)
            await place(kind, path)
        area = await place("area", (*path, words[-1]), code)
        await archive.hang([terminal], area, by=BY)
