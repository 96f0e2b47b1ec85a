"""Pixel format: which 8-bit bands a network gets from an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mtlsearch.errors import DataError
from mtlsearch.images._bands import NUM_BANDS, AnyImage, Bands
from mtlsearch.images._read import read_image

Channels: TypeAlias = Literal["rgb", "rgba"] | int
"""``"rgb"``, ``"rgba"``, or a number of bands, which are used as the file has them."""

PixelRange: TypeAlias = Literal["auto"] | tuple[float, float]
"""The numbers that become 0 and 255, or ``"auto"``: 0 and 65535 for 16-bit integers."""

MAX_NUMBERS = 2**20
"""Largest number of pixels that are converted at a time."""

_SIXTEEN_BITS = np.dtype(np.uint16)
_GRAY = ("1", "L", "LA")
_ARRAY_MODES = ("I", "F")
_COUNT = {"rgb": 3, "rgba": 4}


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Rule that converts any image to 8-bit bands.

    Numbers of 8 bits stay as they are. Other numbers ``x`` become
    ``round((x - low) / (high - low) * 255)``, clipped to 0..255. Halves are rounded to even. The
    range is 0..65535 for unsigned 16-bit integers. Other types need :attr:`pixel_range`.

    Attributes:
        channels: ``"rgb"``, ``"rgba"`` or a number of bands. Gray is repeated for both names, and
            an image without alpha is opaque for ``"rgba"``. 1 is gray, 3 is ``"rgb"``.
        pixel_range: the numbers that become 0 and 255 in images of more than 8 bits, or
            ``"auto"``.

    Raises:
        ValueError: the number of bands is not positive, or the range is empty.
    """

    channels: Channels = "rgb"
    pixel_range: PixelRange = "auto"

    def __post_init__(self) -> None:
        if self.num_channels < 1:
            raise ValueError(f"`channels` must be rgb, rgba or at least 1, got {self.channels}")
        if self.pixel_range != "auto" and not self.pixel_range[0] < self.pixel_range[1]:
            raise ValueError(
                f"`pixel_range` must be [low, high] with low < high, got {list(self.pixel_range)}"
            )

    @property
    def num_channels(self) -> int:
        """Number of bands."""
        return _COUNT[self.channels] if isinstance(self.channels, str) else self.channels

    @property
    def is_color(self) -> bool:
        """Whether the first three bands are red, green and blue."""
        return isinstance(self.channels, str) or self.channels == 3

    def apply(self, image: AnyImage, where: str | None = None) -> AnyImage:
        """Convert an image; a converted image stays as it is.

        Args:
            image: an upright image in any mode, or bands.
            where: reference to the image, for messages.

        Returns:
            A Pillow image in mode RGB for three channels, otherwise uint8 bands.

        Raises:
            DataError: the range of its numbers is unknown, numbers are not finite, or its bands
                do not fit.
        """
        try:
            return self._convert(image)
        except DataError as error:
            raise (error.named_in(where) if where else error) from None

    def _convert(self, image: AnyImage) -> AnyImage:
        decoded = _as_bands_if_deep(image)
        if isinstance(decoded, Bands):
            return self._from_bands(Bands(self._to_uint8(decoded.values)))
        return self._from_image(decoded)

    def read(self, path: Path, where: str | None = None) -> AnyImage:
        """Read an image file and convert it.

        Args:
            path: the file.
            where: reference to the file in the data set, for messages.

        Returns:
            The result of :meth:`apply`.

        Raises:
            DataError: the file cannot be read, or see :meth:`apply`.
        """
        return self.apply(read_image(path, where), where or str(path))

    def num_dropped(self, image: AnyImage) -> int:
        """Return how many bands of an image :meth:`apply` does not use.

        Alpha of a gray or palette image counts if some pixel is transparent.

        Args:
            image: the image before :meth:`apply`.

        Returns:
            The number; 0 for colors that are converted, such as CMYK.
        """
        if isinstance(image, Bands):
            count = len(image.values)
            if self.channels == 1 and count == 3:
                return 0  # converted to gray
            used = 1 if count == 2 and self.channels == "rgb" else self.num_channels
            return max(0, count - used)
        hidden = _num_hidden(image)
        if hidden or self.num_channels not in (1, 3):
            return hidden
        has_fourth_band = image.mode in ("RGBA", "RGBa", "RGBX")
        return int(has_fourth_band or (_has_alpha(image) and _is_transparent(image)))

    def _from_image(self, image: Image.Image) -> AnyImage:
        if self.num_channels == 3:
            return _as_rgb(image)
        if _num_hidden(image) and self.num_channels > 1:
            raise DataError(
                f"only {len(image.getbands())} of the {image.info[NUM_BANDS]} bands of the "
                "image can be read",
                next_step="save its bands as an .npy file of [bands, height, width]",
            )
        if self.channels == "rgba":
            return _bands(image if image.mode == "RGBX" else _as_rgba(image))
        if self.channels == 1:
            gray = image if image.mode in _GRAY else _as_rgb(image)
            return _bands(gray.convert("L"))
        if image.mode in ("P", "PA"):
            image = _as_rgba(image) if _has_alpha(image) else _as_rgb(image)
        bands = _bands(image)
        self._require_count(bands.values.shape)
        return bands

    def _from_bands(self, bands: Bands) -> AnyImage:
        values, count = bands.values, len(bands.values)
        if self.num_channels == 3:
            if count < 3:
                return Image.fromarray(np.ascontiguousarray(values[0])).convert("RGB")
            rgb = values[:3]
            return Image.fromarray(np.ascontiguousarray(rgb.transpose(1, 2, 0)))
        if self.channels == "rgba":
            opaque = np.full_like(values[:1], 255)
            color = values[[0, 0, 0]] if count < 3 else values[:3]
            alpha = values[1:2] if count == 2 else values[3:4] if count > 3 else opaque
            return Bands(np.concatenate([color, alpha]))
        if self.channels == 1 and count == 3:
            return _bands(Image.fromarray(values.transpose(1, 2, 0).copy()).convert("L"))
        self._require_count(values.shape)
        return bands

    def _require_count(self, shape: tuple[int, ...]) -> None:
        count, height, width = shape
        if count == self.num_channels:
            return
        if width == self.num_channels < min(count, height):
            raise DataError(
                f"the image has the shape {list(shape)}, which looks like [height, width, bands]: "
                f"`data.channels` is {self.channels}",
                next_step="save the image as [bands, height, width], such as "
                "`np.save(path, pixels.transpose(2, 0, 1))`",
            )
        raise DataError(
            f"the image has {count} band(s), its shape [bands, height, width] is {list(shape)}, "
            f"but `data.channels` is {self.channels}",
            next_step=f"set `data.channels` to {count}, or remove the image",
        )

    def _to_uint8(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        if values.dtype == np.uint8:
            return values.astype(np.uint8, copy=False)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise DataError(
                f"{int((~np.isfinite(values)).sum())} numbers of the image are not finite",
                next_step="replace NaN and infinity by numbers of the range",
            )
        low, high = self._range_of(values)
        scaled = np.empty(values.shape, np.uint8)
        rows = max(1, MAX_NUMBERS // values.shape[2])
        for band in range(len(values)):
            for top in range(0, values.shape[1], rows):  # some rows at a time need less memory
                numbers = values[band, top : top + rows].astype(np.float64)
                fractions = (numbers - low) / (high - low)
                scaled[band, top : top + rows] = np.rint(fractions * 255).clip(0, 255)
        return scaled

    def _range_of(self, values: NDArray[np.generic]) -> tuple[float, float]:
        if self.pixel_range != "auto":
            return self.pixel_range
        if values.dtype == _SIXTEEN_BITS:
            return 0.0, 65535.0
        low, high = float(values.min()), float(values.max())
        raise DataError(
            f"the image has {values.dtype} numbers from {low:g} to {high:g}, which need "
            "`data.pixel_range`",
            next_step="set `data.pixel_range` to the numbers that are black and white, such as "
            f"[{min(low, 0.0):g}, {high if high > min(low, 0.0) else 1:g}]",
        )


def _as_bands_if_deep(image: AnyImage) -> AnyImage:
    """Return bands for an array and for more than 8 bits, other images unchanged."""
    if isinstance(image, Bands):
        values = image.values
        native = values.dtype.newbyteorder("=")
        return Bands(values.astype(native, copy=False))
    if image.mode.startswith("I;16"):
        return Bands(np.asarray(image).astype(np.uint16)[None])
    if image.mode in _ARRAY_MODES:
        # Pillow reads the 16 bits of these formats as 32 bits.
        has_16_bits = image.mode == "I" and image.format in ("PNG", "PPM")
        values = np.asarray(image)[None]
        return Bands(values.astype(np.uint16) if has_16_bits else values)
    return image


def _as_rgb(image: Image.Image) -> Image.Image:
    # Pillow warns unless a palette with transparency is converted to RGBA first.
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode == "La":  # Pillow converts it to LA only
        image = image.convert("LA")
    return image.convert("RGB")


def _as_rgba(image: Image.Image) -> Image.Image:
    if image.mode == "La":
        image = image.convert("LA")
    if not _has_alpha(image):
        image = image.convert("RGB")
    return image.convert("RGBA")


def _num_hidden(image: Image.Image) -> int:
    """Return the number of bands of the file that Pillow did not decode."""
    return max(0, int(image.info.get(NUM_BANDS, 0)) - len(image.getbands()))


def _has_alpha(image: Image.Image) -> bool:
    return image.has_transparency_data


def _is_transparent(image: Image.Image) -> bool:
    """Return whether some pixel is not opaque."""
    return bool(np.asarray(_as_rgba(image).getchannel("A")).min() < 255)


def _bands(image: Image.Image) -> Bands:
    pixels = np.asarray(image, np.uint8)
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return Bands(np.ascontiguousarray(planes))
