"""How many patches and tokens an image of a given size has, for the sizes of --limit-mm-per-prompt.

Source: multimodal/processing/dummy_inputs.py (_get_dummy_images) of vLLM 0.32: a size above the model's own largest one
is ignored. For the rest, get_best_fit of mllama4.py, smart_resize of transformers' Qwen2-VL, and vision.py.
"""

from dataclasses import dataclass
from math import ceil, isqrt, sqrt

QWEN_SHORTEST_EDGE_PIXELS = 65_536
"""Smallest number of pixels in an image (Qwen3-VL preprocessor_config.json, size.shortest_edge)."""


@dataclass(frozen=True, kw_only=True)
class ImageGrid:
    """The cells into which a processor cuts an image: tiles, or the patches of one token."""

    cell_pixels: int
    """Side of a cell."""
    largest_pixels: tuple[int, int]
    """Width and height of the image that vLLM profiles by default."""
    cell_patches: int
    cell_tokens: int
    row_tokens: int = 0
    """Further tokens for each row."""
    has_thumbnail: bool = False
    """Whether an image of several cells has one more for the whole image."""
    least_pixels: int = 0
    """Smaller images are enlarged to this area. Above 0, sides are rounded to the nearest cell instead of up."""
    is_batched_by_largest: bool = False
    """Whether vLLM divides its encoder budget by the tokens of the largest image, whatever size is given."""

    def item(self, width: int | None, height: int | None) -> tuple[int, int]:
        """Return the patches and the tokens of an image. A side of None is the largest one."""
        sides = [min(given or most, most) for given, most in zip((width, height), self.largest_pixels, strict=True)]
        columns, rows = self._cells(*sides)
        cells = columns * rows
        cells += self.has_thumbnail and cells > 1
        return cells * self.cell_patches, cells * self.cell_tokens + rows * self.row_tokens

    def _cells(self, width: int, height: int) -> tuple[int, int]:
        step = self.cell_pixels
        if not self.least_pixels:
            return ceil(width / step), ceil(height / step)
        columns, rows = max(1, round(width / step)), max(1, round(height / step))
        if columns * rows * step**2 >= self.least_pixels:
            return columns, rows
        growth = sqrt(self.least_pixels / (width * height))
        return ceil(width * growth / step), ceil(height * growth / step)


def tiles(side: int, most: int, *, patches: int, tokens: int) -> ImageGrid:
    """Return Llama 4's grid: tiles of this side, at most so many, and the whole image as one more."""
    return ImageGrid(
        cell_pixels=side,
        largest_pixels=(side, most * side),
        cell_patches=patches,
        cell_tokens=tokens,
        has_thumbnail=True,
    )


def rounded_cells(patch: int, merge: int, *, most_pixels: int) -> ImageGrid:
    """Return Qwen's grid: tokens of merge x merge patches, to which the image is resized."""
    cell = patch * merge
    side = isqrt(most_pixels // cell**2) * cell
    return ImageGrid(
        cell_pixels=cell,
        largest_pixels=(side, side),
        cell_patches=merge**2,
        cell_tokens=1,
        least_pixels=QWEN_SHORTEST_EDGE_PIXELS,
        is_batched_by_largest=True,
    )


def rows_of_cells(patch: int, merge: int, *, longest: int) -> ImageGrid:
    """Return Pixtral's grid: tokens of merge x merge patches, and one token that ends each row."""
    return ImageGrid(
        cell_pixels=patch * merge,
        largest_pixels=(longest, longest),
        cell_patches=merge**2,
        cell_tokens=1,
        row_tokens=1,
    )
