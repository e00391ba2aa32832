"""The container images: built for real without an engine, run as compose.yaml says, and called."""


class ImagesError(Exception):
    """The images, or what compose.yaml says of them, are not as they must be; str() says what."""
