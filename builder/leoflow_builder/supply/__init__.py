"""What an image says of itself to those who did not build it: SBOM, provenance, annotations.

Pure but for `gitsource`, which asks git. Nothing here builds, pushes or signs.
"""
