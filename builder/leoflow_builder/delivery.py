"""Has the image of an assembled project made and delivered, unless it is there already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leoflow_builder.assemble import Assembly
from leoflow_builder.builder import BuiltImage, Describe, bare_bundle
from leoflow_builder.cache import make_key
from leoflow_builder.cachehold import hold
from leoflow_builder.imagerecord import read_record, write_record
from leoflow_builder.memo import memo_in
from leoflow_builder.registry.reference import parse_reference
from leoflow_builder.tools import Tools

Say = Callable[[str], None]


def image_name(assembly: Assembly) -> str:
    """Return the whole reference of an assembled project's image."""
    return str(parse_reference(assembly.tag))


def ensure_image(assembly: Assembly, home: Path, say: Say, tools: Tools) -> tuple[BuiltImage, bool]:
    """Return the image and whether it had to be built."""
    name, destination = image_name(assembly), tools.destination
    own = assembly.native.footing.own
    if own is not None and own.dag_json is not None:
        from leoflow_builder.readyimage import deliver_ready

        return deliver_ready(own, name, destination, say)
    images = [part.planned for part in assembly.parts]
    contents = [one.plan.content_key for one in images]
    key = make_key([*contents, tools.builder.name, destination.place])
    record = home.absolute() / "cache" / "images" / f"{key}.json"
    hold(record)
    known = read_record(record)
    if known is not None and destination.has(name, known.image_id):
        say(f"nothing to build, the image is there: '{assembly.tag}'")
        return known, False
    say(f"building '{assembly.tag}'")
    describe = _describe(assembly, home, tools)
    image = tools.builder.build(images, name, destination, say, describe)
    write_record(record, image)
    return image, True


def _describe(assembly: Assembly, home: Path, tools: Tools) -> Describe:
    # An engine keeps nothing beside an image, and what tells of it takes long to load.
    if tools.destination.is_engine:
        return bare_bundle
    from leoflow_builder.describing import describer

    return describer(assembly, tools.builder.name, memo_in(home))
