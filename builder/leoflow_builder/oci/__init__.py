"""Images as the OCI image format has them: made of a plan, written to a disk, sent to an engine.

https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md
"""
