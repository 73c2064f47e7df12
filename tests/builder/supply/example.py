"""The contents of an image that the tests of this folder speak of."""

from leoflow_builder.debpackage import DebPackage
from leoflow_builder.lock import LockedPackage
from leoflow_builder.supply.contents import ImageContents, OwnBaseImage

WHEELS = (
    LockedPackage("pandas", "2.2.3", "pandas-2.2.3-cp311-cp311-linux_x86_64.whl", "a" * 64),
    LockedPackage("torch", "2.5.1+cpu", "torch-2.5.1+cpu-cp311-cp311-linux_x86_64.whl", "b" * 64),
)
DEBS = (
    DebPackage("libc6", "2.36-9+deb12u9", "amd64", "c" * 64),
    DebPackage("libssl3", "3.0.15-1~deb12u1", "amd64", "d" * 64),
    DebPackage("tzdata", "1:2024a-0", "all", "e" * 64),
)
CONTENTS = ImageContents(
    title="weather",
    spec_digest=f"sha256:{'1' * 64}",
    platform="linux/amd64",
    leoflow_version="0.1.0",
    python_version="3.11.2",
    wheels=WHEELS,
    debs=DEBS,
    suite="bookworm",
)
OWN = OwnBaseImage("registry.example.org:5000/team/Python:3.11", f"sha256:{'2' * 64}")
