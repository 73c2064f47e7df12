"""``leoflow inspect``: what is in an image, and what differs from another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from leoflow_cli.option import json_option
from leoflow_cli.plain import print_json
from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_builder.inspection.view import Layers, SeenImage


@click.command("inspect")
@click.argument("image")
@click.option("--against", metavar="IMAGE", help="Show what changed since this other image.")
@click.option("--sbom", is_flag=True, help="Print the software bill of materials on stdout.")
@click.option("--platform", metavar="OS/ARCH", help="Of several platforms, look into this one.")
@json_option
def command(
    image: str, against: str | None, sbom: bool, platform: str | None, as_json: bool
) -> None:
    """Show what is in IMAGE, down to its files; everything is verified by its digest.

    IMAGE is the folder of an OCI layout, an archive, an image of the engine, or a reference in a
    registry: the first of these that exists. To choose, write oci:DIR, oci-archive:FILE,
    docker-archive:FILE, docker-daemon:NAME or docker://NAME.
    """
    from leoflow_cli.inspect_report import show, show_difference

    screen = Screen()
    if sbom:
        _print_sbom(image, platform, against, screen)
        return
    known: Layers = {}
    with screen.working(f"reading {image}"):
        seen = _see(image, platform, known)
    document: dict[str, Any] = seen.view.as_json()
    if against is None:
        show(seen.view, screen)
    else:
        from leoflow_builder.inspection.difference import compare

        with screen.working(f"reading {against}"):
            before = _see(against, platform or seen.view.platform, known)
        difference = compare(before, seen)
        show_difference(difference, screen)
        document["difference"] = difference.as_json()
    if as_json:
        print_json(document)


def _see(image: str, platform: str | None, known: Layers) -> SeenImage:
    from leoflow_builder.inspection.place import Doors, open_image
    from leoflow_builder.inspection.view import see_image
    from leoflow_builder.oci.engine_images import open_images

    with open_image(image, Doors(open_images)) as opened:
        return see_image(opened.source, image, platform, opened.tag, known)


def _print_sbom(image: str, platform: str | None, against: str | None, screen: Screen) -> None:
    from leoflow_builder.inspection.bill import bill_of
    from leoflow_builder.inspection.place import Doors, open_image
    from leoflow_builder.oci.engine_images import open_images

    from leoflow_cli.outcome import InvalidInput

    if against is not None:
        raise InvalidInput("--sbom is of one image: leave --against out")
    with (
        screen.working(f"reading {image}"),
        open_image(image, Doors(open_images)) as opened,
    ):
        bill = bill_of(opened.source, platform, opened.tag)
    if not bill.attested:
        screen.line("no SBOM is kept beside this image; made one of the lock in it", "yellow")
    print_json(bill.document)
