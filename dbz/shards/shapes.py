"""How the collections of a shard are made: options, indexes and views; what of it can be moved, and is made alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import IndexModel
from pymongo.database import Database
from pymongo.errors import OperationFailure

from dbz.shards.copies.store_guard import without_guard
from dbz.shards.deployment import Deployment
from dbz.shards.errors import MoveFailedError

_OF_THE_SERVER = frozenset({"v", "ns", "background"})
_CARRIED = frozenset(
    {
        "validator",
        "validationLevel",
        "validationAction",
        "changeStreamPreAndPostImages",
        "clusteredIndex",
        "expireAfterSeconds",
        "storageEngine",
        "indexOptionDefaults",
    }
)
"""What a collection is made with on the target as on the source."""
_CARRIED_OF_VIEWS = frozenset({"viewOn", "pipeline", "collation"})
_EXPLAINED = frozenset({"viewOn", "pipeline", "timeseries", "capped", "size", "max", "collation"})
"""What is refused with a reason of its own."""
_CARRIED_OF_INDEXES = frozenset(
    {
        "key",
        "unique",
        "sparse",
        "hidden",
        "expireAfterSeconds",
        "partialFilterExpression",
        "collation",
        "weights",
        "default_language",
        "language_override",
        "textIndexVersion",
        "2dsphereIndexVersion",
        "bits",
        "min",
        "max",
        "wildcardProjection",
        "storageEngine",
    }
)
_KINDS_OF_KEYS = frozenset({"text", "2d", "2dsphere", "hashed"})
_STANDARD = {"validationLevel": "strict", "validationAction": "error"}
_CHUNKS, _FILES = ".chunks", ".files"


@dataclass(frozen=True)
class CollectionShape:
    """A collection, or a view, as one shard has it."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """What it was created with, without what dbz added to a validator, and without what is the default."""
    indexes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """{name: keys and options} without that of `_id`."""
    kind: str = "collection"
    """`collection`, `view`, `timeseries`, or what else a store may call it."""

    @property
    def is_view(self) -> bool:
        """Whether it is a view."""
        return "viewOn" in self.options


def shapes_of(deployment: Deployment, shard: str) -> dict[str, CollectionShape]:
    """The collections of the shards file that a shard has, and the views that show them."""
    fields = deployment.file.collections
    database = deployment.shard(shard)
    listed = {found["name"]: found for found in database.list_collections()}
    wanted = [name for name in listed if name in fields or _shows(listed, name, fields)]
    shapes = {}
    for name in wanted:
        options = _own_options(listed[name], fields.get(name, ""))
        indexes = {} if "viewOn" in options or "timeseries" in options else database[name].index_information()
        # What a clustered collection lists as the index of its `_id`, by whatever name, is an option of the collection.
        own = {key: _plain(index) for key, index in indexes.items() if key != "_id_" and not index.get("clustered")}
        shapes[name] = CollectionShape(options, own, listed[name].get("type", "collection"))
    return shapes


def _shows(listed: Mapping[str, Any], name: str, fields: Mapping[str, str]) -> bool:
    """Whether it is a view, of a view, … of a collection of the shards file."""
    for _ in range(len(listed)):
        name = listed.get(name, {}).get("options", {}).get("viewOn", "")
        if not name or name in fields:
            return bool(name)
    return False


def _own_options(listed: Mapping[str, Any], club_field: str) -> dict[str, Any]:
    options = dict(listed.get("options", {}))
    options.pop("uuid", None)
    if listed.get("type") == "timeseries":
        options.setdefault("timeseries", {})
    if own := without_guard(options.get("validator") or {}, club_field):
        options["validator"] = own
    else:
        for name in ("validator", *_STANDARD):
            options.pop(name, None)
    if (options.get("collation") or {}).get("locale") == "simple":
        del options["collation"]
    if options.get("capped") is False:
        del options["capped"]
    return {name: value for name, value in options.items() if value != _STANDARD.get(name)}


def _plain(index: Mapping[str, Any]) -> dict[str, Any]:
    switched_off = {name for name in _CARRIED_OF_INDEXES if index.get(name) is False}
    plain = {name: value for name, value in index.items() if name not in _OF_THE_SERVER | switched_off}
    return {**plain, "key": [tuple(pair) for pair in index["key"]]}


def uncarried(shape: CollectionShape) -> list[str]:
    """What of a collection or a view dbz does not know how to bring to another shard, each by its name.

    Whatever is not known is refused: an option of a later server may change what the collection's documents mean.
    """
    known = _CARRIED_OF_VIEWS if shape.is_view else _CARRIED | _EXPLAINED
    found = [f"the option '{name}'" for name in shape.options if name not in known]
    if "expireAfterSeconds" in shape.options and "clusteredIndex" not in shape.options:
        found.append("the option 'expireAfterSeconds' without a clustered index")
    if shape.kind not in ("collection", "view", "timeseries"):
        found.append(f"the type '{shape.kind}'")
    for name, index in shape.indexes.items():
        found += [f"'{option}' of index '{name}'" for option in index if option not in _CARRIED_OF_INDEXES]
        kinds = {kind for _, kind in index["key"] if isinstance(kind, str)}
        found += [f"'{kind}' in the keys of index '{name}'" for kind in sorted(kinds - _KINDS_OF_KEYS)]
    return found


def immovable(deployment: Deployment, shard: str, shapes: Mapping[str, CollectionShape]) -> list[str]:
    """Why clubs cannot be moved from a shard whose collections have these shapes; a line for each collection."""
    fields = deployment.file.collections
    found = []
    for name in fields:
        options = shapes[name].options if name in shapes else {}
        if "viewOn" in options:
            found.append(f"'{name}' on {shard} is a view: the shards file must name '{options['viewOn']}' instead")
        elif "timeseries" in options:
            found.append(f"'{name}' on {shard} is a time series: it has no history of changes to follow")
        elif "capped" in options:
            found.append(f"'{name}' on {shard} is capped: documents of other clubs would fall out of it on the target")
        elif "collation" in options:
            locale = options["collation"].get("locale", "?")
            found.append(
                f"'{name}' on {shard} compares texts by a collation ({locale}): clubs whose ids differ in letter case "
                "or accents only would be taken for one"
            )
        found += _halves_of_gridfs(deployment, shard, name)
    for name, shape in shapes.items():
        if unknown := uncarried(shape):
            found.append(f"'{name}' on {shard} has {', '.join(unknown)}: dbz does not know how to carry that")
    return found


def _halves_of_gridfs(deployment: Deployment, shard: str, name: str) -> Iterator[str]:
    """A file is a document of `files` and its `chunks`; one without the other is lost."""
    for suffix, other in ((_FILES, _CHUNKS), (_CHUNKS, _FILES)):
        half = name.removesuffix(suffix) + other
        if name.endswith(suffix) and half not in deployment.file.collections:
            database = deployment.shard(shard)
            if database[half].find_one({}, {"_id": 1}) is not None:
                yield (
                    f"'{name}' on {shard} is half of a GridFS: '{half}' does not move with it; name both in the shards "
                    "file, each with a field that holds the club"
                )


def unlike(source: Mapping[str, CollectionShape], target: Mapping[str, CollectionShape], target_name: str) -> list[str]:
    """What the target has otherwise than the source, so that it cannot be made alike; a line for each."""
    found = []
    for name, shape in source.items():
        there = target.get(name)
        if there is None:
            continue
        if names := differing(shape.options, there.options):
            found.append(f"'{name}' on {target_name} has other options: {', '.join(names)}")
        for index, made in shape.indexes.items():
            if index in there.indexes and there.indexes[index] != made:
                found.append(f"index '{index}' of '{name}' on {target_name} is another one: {_shown(there, index)}")
    return found


def _shown(shape: CollectionShape, index: str) -> str:
    keys = ", ".join(f"{name}: {direction}" for name, direction in shape.indexes[index]["key"])
    more = [name for name in shape.indexes[index] if name != "key"]
    return f"{{{keys}}}" + (f" with {', '.join(more)}" if more else "")


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The names of options that differ."""
    return [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]


def obstacles(deployment: Deployment, ways: Iterable[tuple[str, str]]) -> list[str]:
    """What keeps collections from being moved from source to target as they are made; a line for each."""
    distinct = list(dict.fromkeys(ways))
    shapes = {}
    for shard in dict.fromkeys(name for way in distinct for name in way):
        with deployment.reaching(shard):
            shapes[shard] = shapes_of(deployment, shard)
    found: dict[str, None] = {}
    for source, target in distinct:
        with deployment.reaching(source):
            found |= dict.fromkeys(immovable(deployment, source, shapes[source]))
        found |= dict.fromkeys(unlike(shapes[source], shapes[target], target))
    return list(found)


def make_alike(deployment: Deployment, source: str, target: str) -> None:
    """Give the target the collections, options, indexes and views of the source; what it has already is left alone.

    `MoveFailedError` when something cannot be moved, is there and different, or when the target does not have it
    afterwards, whatever it answered: an index of a kind that a store does not know must not be lost in silence.
    """
    here, there = shapes_of(deployment, source), shapes_of(deployment, target)
    problems = [*immovable(deployment, source, here), *unlike(here, there, target)]
    if problems:
        raise MoveFailedError("; ".join(problems))
    for name, shape in sorted(here.items(), key=lambda found: found[1].is_view):  # a view after what it shows
        make_collection(deployment.shard(target), name, shape, there.get(name), target)
    refuse_incomplete(here, shapes_of(deployment, target), target)


def make_collection(
    database: Database[Any], name: str, shape: CollectionShape, there: CollectionShape | None, target: str
) -> None:
    """Make a collection or a view in that shape, or, where it is `there`, the indexes that it lacks.

    `MoveFailedError` with the reason of a store that refuses; embedded stores refuse indexes of text and hashes.
    """
    has = [_without_name(index) for index in there.indexes.values()] if there else []
    models = [index_model(key, index) for key, index in shape.indexes.items() if _without_name(index) not in has]
    what = f"'{name}'"
    try:
        if there is None:
            database.create_collection(name, **shape.options)
        if models:
            what += f" with its indexes {', '.join(model.document['name'] for model in models)}"
            database[name].create_indexes(models)
    except OperationFailure as error:
        raise MoveFailedError(f"{what} cannot be made on {target}: {str(error)[:200]}") from error


def refuse_incomplete(
    source: Mapping[str, CollectionShape], target: Mapping[str, CollectionShape], target_name: str
) -> None:
    """`MoveFailedError` when something of the source is not on the target, or is something else there."""
    lacking = []
    for name, shape in source.items():
        if name not in target:
            lacking.append(f"'{name}' is not there")
            continue
        has = [_without_name(index) for index in target[name].indexes.values()]
        lacking += [
            f"index '{key}' of '{name}' is not there"
            for key, index in shape.indexes.items()
            if _without_name(index) not in has
        ]
    if wrong := [*lacking, *unlike(source, target, target_name)]:
        raise MoveFailedError(f"{target_name} took everything and made something else of it: {'; '.join(wrong)}")


def _without_name(index: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in index.items() if key != "name"}


def index_model(name: str, index: Mapping[str, Any]) -> IndexModel:
    """What makes an index again that a store lists."""
    options = {key: value for key, value in index.items() if key not in ("key", "name")}
    keys: list[tuple[str, Any]] = []
    for path, direction in index["key"]:
        if path == "_fts":  # a text index is listed as the server keeps it
            keys += [(weighed, "text") for weighed in index.get("weights", {})]
        elif path != "_ftsx":
            keys.append((path, direction))
    return IndexModel(keys, name=name, **options)


@dataclass(frozen=True)
class ShapeDifference:
    """Something that a shard has otherwise than the others, or lacks."""

    collection: str
    name: str
    """The index's name; empty for the collection itself."""
    shard: str
    detail: str


def shape_differences(deployment: Deployment, shards: Iterable[str]) -> list[ShapeDifference]:
    """How the collections of shards differ in options, indexes and views. A collection that is not there does not."""
    names = list(shards)
    shapes: dict[str, dict[str, CollectionShape]] = {}
    for shard in names:
        with deployment.reaching(shard):
            shapes[shard] = shapes_of(deployment, shard)
    found = []
    for collection in dict.fromkeys(name for of_shard in shapes.values() for name in of_shard):
        having = {shard: shapes[shard][collection] for shard in names if collection in shapes[shard]}
        if any(shape.is_view for shape in having.values()):
            found += [
                ShapeDifference(collection, "", shard, "the view is missing") for shard in names if shard not in having
            ]
        found += _of_options(collection, having)
        found += _of_indexes(collection, having, names)
    return found


def _of_options(collection: str, having: Mapping[str, CollectionShape]) -> Iterator[ShapeDifference]:
    first, *others = having
    for shard in others:
        if different := differing(having[first].options, having[shard].options):
            yield ShapeDifference(collection, "", shard, f"{', '.join(different)} differ from those on {first}")


def _of_indexes(
    collection: str, having: Mapping[str, CollectionShape], names: Sequence[str]
) -> Iterator[ShapeDifference]:
    every = {name: index for shape in having.values() for name, index in shape.indexes.items()}
    for shard in names:
        indexes = having[shard].indexes if shard in having else {}
        for name, index in every.items():
            if indexes.get(name) != index:
                detail = "it is missing" if name not in indexes else "it differs from that of another shard"
                yield ShapeDifference(collection, name, shard, detail)
