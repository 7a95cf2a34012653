"""478 points of each face in a picture: MediaPipe's face mesh, run where we say and silent.

Coordinates everywhere in this package: x right, y down, in pixels of the full frame, the pixel in column i
covering [i, i + 1): the frame's corner is (0, 0), the centre of its first pixel (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..shot import POINTS
from .quiet import quiet

OUTER_EYES = (33, 263)
"""Outer eye corners, that of the picture's left first when the face looks at us upright."""
MARGIN = 1.5
"""Side of the square that the mesh network sees, in sides of the landmarks' own box; it was trained so."""
NETWORK_SIDE = 192
VIEW = 256
"""Side of what the detectors are shown; they work on 192 and 128."""
SETTLING = 4
"""How often at most a found face is looked at again."""
SMALLEST = 12
"""Lower faces (forehead to chin, px) are not accepted; in tests every face of 20 px was found, half of those of 16."""

MOST_HALVINGS = 3
"""Each costs four times the tiles; with three an empty picture takes half a second."""
SURE = 0.75
"""What the near detector must score when it is shown a found face closely, 0 to 1."""

STEADY = 0.08
"""How far points may shift when a fifth more is shown, in face heights: faces up to 0.044 (in profile); a wall lost its face."""

_GRAPH = """
input_stream: "IMAGE:image"
input_stream: "ROI:roi"
input_side_packet: "WITH_ATTENTION:with_attention"
output_stream: "LANDMARKS:landmarks"
node {
  calculator: "FaceLandmarkCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "WITH_ATTENTION:with_attention"
  output_stream: "LANDMARKS:landmarks"
}
"""
_SCORE = "facelandmarkcpu__face_presence_score"
_RECORD = np.dtype([("head", "u1", 2), ("x_tag", "u1"), ("x", "<f4"), ("y_tag", "u1"), ("y", "<f4"),
                    ("z_tag", "u1"), ("z", "<f4")])


@dataclass(frozen=True)
class Region:
    """A square in a frame: centre and side in pixels, turned clockwise by `angle` radians."""

    x: float
    y: float
    side: float
    angle: float = 0.0


class Landmarker:
    """Finds faces and their points. Stateless between calls: the same picture and region give the same points.

    Use as a context manager; one thread at a time.
    """

    def __init__(self) -> None:
        with quiet():
            self._mesh = _mesh_graph()
            self._detectors = _detectors()
            self._warm_up()

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks; more than once does no harm."""
        graphs, self._detectors = [self._mesh, *self._detectors], ()
        self._mesh = None
        for graph in graphs:
            if graph is not None:
                graph.close()

    def find(self, image: np.ndarray, *, thorough: bool = True) -> list[np.ndarray]:
        """Every face, left to right.

        Looks for faces of 1/32 of the longer side or more; only where none is there, and `thorough`, for such that lie
        or stand on their heads, then for smaller ones: down to 20 px and 1/128 of the longer side.

        Args:
            image: (H, W, 3) uint8 RGB.
            thorough: search on when the first look finds nothing: half a second or so for a large picture without faces.

        Returns:
            (478, 3) float32 each: x, y, z in pixels.
        """
        first, deeper = range(_levels(image))[:2], range(_levels(image))[2:]
        found: list[np.ndarray] = []
        for level in first:
            found = self._look(image, level, 0, found)
        searches = [(level, turn) for level in first for turn in (2, 1, 3)] + [(level, 0) for level in deeper]
        while not found and thorough and searches:
            found = self._look(image, *searches.pop(0))
        return sorted(found, key=lambda points: float(points[:, 0].mean()))

    def at(self, image: np.ndarray, region: Region) -> np.ndarray | None:
        """(478, 3) float32 points of the face that fills `region`, None where there is no face."""
        patch, x0, y0, shrink = _patch(image, region)
        if patch.size == 0:
            return None
        height, width = patch.shape[:2]
        rect = _rect((region.x - x0) * shrink, (region.y - y0) * shrink, region.side * shrink, region.angle,
                     height, width)
        found = self._mesh.process({"image": patch, "roi": rect}).landmarks
        if found is None:
            return None
        points = _as_array(found) * np.float32([width, height, width])
        points[:, :2] += _half_pixel(region.side * shrink, region.angle)
        points /= np.float32(shrink)
        points[:, :2] += np.float32([x0, y0])
        return points

    def _look(self, image: np.ndarray, level: int, turn: int, known: Sequence[np.ndarray] = ()) -> list[np.ndarray]:
        """The known faces and those in the tiles of one level of the picture turned by quarter turns."""
        found = list(known)
        for tile in _tiles(image, level, turn * np.pi / 2):
            for region, _ in self._detect(image, tile, self._detectors):
                points = None if any(_same_place(region, other) for other in found) else self._settle(image, region)
                if points is not None:
                    found = _without_doubles([*found, points])
        return found

    def _detect(self, image: np.ndarray, tile: Region, detectors: Sequence[Any]) -> list[tuple[Region, float]]:
        """Regions of the frame that look like faces when the tile is seen upright, with scores 0 to 1, best first."""
        view = view_of(image, tile, VIEW)
        found = [detection for detector in detectors for detection in detector.process(view).detections or []]
        found.sort(key=lambda detection: -detection.score[0])
        return [(_in_frame(_region_of_detection(d.location_data), tile), d.score[0]) for d in found]

    def _settle(self, image: np.ndarray, region: Region) -> np.ndarray | None:
        """Points at a detection, the right way up, looked at again until they stay where they are.

        None where they do not stay when more is shown: walls and clouds in which both networks see a face give way then.
        """
        points = self.at(image, region)
        upright = None if points is None else self._upright(image, region_of(points))
        for _ in range(SETTLING):
            points, before = None if upright is None else self.at(image, upright), points
            if points is None or face_height(points) < SMALLEST:
                return None
            upright = region_of(points)
            if _shift(points, before) < 0.02:
                break
        wider = self.at(image, replace(upright, side=1.2 * upright.side))
        return points if wider is not None and _shift(points, wider) < STEADY else None

    def _upright(self, image: np.ndarray, region: Region) -> Region | None:
        """The region, or the one of the quarter turn in which it looks most like a face; None when in none.

        Detector and mesh both take many a face that stands on its head; the near detector's score tells
        (on 52 portraits it was highest for the upright picture, by 0.14 or more, every time).
        """
        turned = [replace(region, side=1.6 * region.side, angle=region.angle + turn * np.pi / 2) for turn in range(4)]
        seen = [next(iter(self._detect(image, view, self._detectors[1:])), (region, 0.0)) for view in turned]
        best = max(range(4), key=lambda turn: seen[turn][1])
        if seen[best][1] < SURE:
            return None
        return region if best == 0 else seen[best][0]

    def _warm_up(self) -> None:
        """The first run of each network is when it talks."""
        blank = np.zeros((64, 64, 3), np.uint8)
        self.at(blank, Region(32, 32, 64))
        self._detect(blank, Region(32, 32, 64), self._detectors)


def region_of(points: np.ndarray) -> Region:
    """The square that the mesh network should see next: upright in the face's own sense, round all points."""
    left, right = points[OUTER_EYES[0], :2], points[OUTER_EYES[1], :2]
    angle = float(np.arctan2(right[1] - left[1], right[0] - left[0]))
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.array([[cos, sin], [-sin, cos]])
    upright = points[:, :2] @ axes.T
    low, high = upright.min(0), upright.max(0)
    x, y = axes.T @ ((low + high) / 2)
    return Region(float(x), float(y), float((high - low).max() * MARGIN), angle)


def view_of(image: np.ndarray, region: Region, size: int) -> np.ndarray:
    """(size, size, 3) uint8: the region upright, black where it leaves the frame."""
    import cv2

    patch, x0, y0, scale = _patch(image, region, size)
    if patch.size == 0:
        return np.zeros((size, size, 3), np.uint8)
    cos, sin = np.cos(region.angle) * size / region.side, np.sin(region.angle) * size / region.side
    turn = np.array([[cos, sin], [-sin, cos]])
    shift = size / 2 - turn @ [region.x - x0, region.y - y0]
    turn /= scale
    shift += turn @ [0.5, 0.5] - 0.5  # OpenCV counts from the centre of the first pixel
    return cv2.warpAffine(patch, np.column_stack([turn, shift]), (size, size), flags=cv2.INTER_LINEAR)


def box(points: np.ndarray) -> np.ndarray:
    """(4,) float32 x0 y0 x1 y1 round the points."""
    return np.concatenate([points[:, :2].min(0), points[:, :2].max(0)]).astype(np.float32)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    size = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(size.clip(0).prod())
    return shared / max(float((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()) - shared, 1e-6)


def face_height(points: np.ndarray) -> float:
    """Forehead (point 10) to chin (point 152) in space, px: does not shrink when the head nods."""
    return float(np.linalg.norm(points[10] - points[152]))


def _shift(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance between the points of two faces, in face heights."""
    return float(np.linalg.norm(a[:, :2] - b[:, :2], axis=1).mean()) / max(face_height(a), 1e-6)


def _mesh_graph() -> Any:
    from mediapipe.python.solution_base import SolutionBase

    return SolutionBase(graph_config=_GRAPH, side_inputs={"with_attention": True}, outputs=["landmarks", _SCORE])


def _detectors() -> tuple[Any, ...]:
    """Far faces (down to 1/16 of the picture), then near ones that overfill the far detector."""
    from mediapipe.python.solutions.face_detection import FaceDetection

    return tuple(FaceDetection(model_selection=model, min_detection_confidence=0.4) for model in (1, 0))


def _rect(x: float, y: float, side: float, angle: float, height: int, width: int) -> Any:
    from mediapipe.framework.formats.rect_pb2 import NormalizedRect

    return NormalizedRect(x_center=x / width, y_center=y / height, width=side / width, height=side / height,
                          rotation=angle)


def _as_array(found: Any) -> np.ndarray:
    """(478, 3) float32 from a landmark list, through its wire format: fifty times faster than by attributes."""
    raw = found.SerializeToString()
    if len(raw) != POINTS * _RECORD.itemsize:
        return np.array([(p.x, p.y, p.z) for p in found.landmark], np.float32)
    records = np.frombuffer(raw, _RECORD)
    return np.stack([records["x"], records["y"], records["z"]], axis=1)


def _half_pixel(side: float, angle: float) -> np.ndarray:
    """(2,) float32: what to add to the mesh's coordinates, which count pixels from their corner on the network's side
    and from their centre on the picture's. Without it small faces lie half a pixel off (measured on mirrored pictures)."""
    step = side / NETWORK_SIDE
    cos, sin = np.cos(angle), np.sin(angle)
    return np.float32([0.5 - 0.5 * step * (cos - sin), 0.5 - 0.5 * step * (cos + sin)])


def _patch(image: np.ndarray, region: Region, size: int = NETWORK_SIDE) -> tuple[np.ndarray, int, int, float]:
    """The part of the image that the turned square can touch, shrunk where `size` pixels across would skip some.

    Returns:
        (h, w, 3) contiguous pixels; x and y of its corner in the image; its scale (at most 1).
    """
    import cv2

    height, width = image.shape[:2]
    reach = region.side / 2 * (abs(np.cos(region.angle)) + abs(np.sin(region.angle))) + 2
    x0, y0 = max(int(region.x - reach), 0), max(int(region.y - reach), 0)
    x1, y1 = min(int(region.x + reach) + 1, width), min(int(region.y + reach) + 1, height)
    patch = image[y0:max(y1, y0), x0:max(x1, x0)]
    times = int(region.side // size)
    if times < 2 or patch.size == 0:
        return np.ascontiguousarray(patch), x0, y0, 1.0
    patch = image[y0:y0 + max((y1 - y0) // times, 1) * times, x0:x0 + max((x1 - x0) // times, 1) * times]
    size = (max(patch.shape[1] // times, 1), max(patch.shape[0] // times, 1))
    return cv2.resize(patch, size, interpolation=cv2.INTER_AREA), x0, y0, 1.0 / times


def _same_place(region: Region, points: np.ndarray) -> bool:
    """Whether a detection shows a face whose points are known: its middle is in their box, its size like theirs."""
    x0, y0, x1, y1 = box(points)
    return x0 < region.x < x1 and y0 < region.y < y1 and 0.5 < region.side / region_of(points).side < 2


def _without_doubles(found: list[np.ndarray]) -> list[np.ndarray]:
    """Of faces that share most of the smaller one's box, the largest."""
    kept: list[np.ndarray] = []
    for points in sorted(found, key=face_height, reverse=True):
        if not any(_shared(box(points), box(other)) > 0.5 for other in kept):
            kept.append(points)
    return kept


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over the smaller of two boxes, 0 to 1."""
    size = (np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])).clip(0)
    return float(size.prod() / max(min((a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod()), 1e-6))


def _in_frame(found: Region, view: Region) -> Region:
    """A region given in a view's unit square, in pixels of the frame."""
    cos, sin = np.cos(view.angle), np.sin(view.angle)
    x, y = (found.x - 0.5) * view.side, (found.y - 0.5) * view.side
    return Region(view.x + cos * x - sin * y, view.y + sin * x + cos * y, found.side * view.side,
                  found.angle + view.angle)


def _region_of_detection(location: Any) -> Region:
    """MediaPipe's own recipe: the box half as large again, turned so that the eyes are level; unit square."""
    rect, eyes = location.relative_bounding_box, location.relative_keypoints
    angle = np.arctan2(eyes[1].y - eyes[0].y, eyes[1].x - eyes[0].x)
    return Region(rect.xmin + rect.width / 2, rect.ymin + rect.height / 2,
                  max(rect.width, rect.height) * MARGIN, float(angle))


def _levels(image: np.ndarray) -> int:
    """How many sizes of tiles there are: halved until a face of 12 px is a sixteenth of one, four at most."""
    halvings = int(np.ceil(np.log2(max(image.shape[:2]) / (16 * SMALLEST))))
    return 1 + min(max(halvings, 0), MOST_HALVINGS)


def _tiles(image: np.ndarray, level: int, angle: float) -> list[Region]:
    """Squares that cover the image, half overlapping; level 0 is the whole image."""
    height, width = image.shape[:2]
    side = max(height, width) / 2**level
    return [Region(x, y, side, angle) for y in _centres(height, side) for x in _centres(width, side)]


def _centres(length: int, side: float) -> np.ndarray:
    if length <= side:
        return np.array([length / 2])
    return np.linspace(side / 2, length - side / 2, 1 + int(np.ceil((length - side) / (side / 2))))
