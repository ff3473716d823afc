"""What a query costs, by GitHub's formula, and whether it asks for too much."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    value_from_ast_untyped,
)

from tests.fake_github.graphql_errors import TypedError

NODES_MAX = 500_000
PAGE_MAX = 100
IDS_MAX = 100


class Weight(NamedTuple):
    """`points` count on the limit: a hundredth of the fetches of connections, one at least."""

    points: int
    nodes: int


class _Weigher:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any]) -> None:
        self._schema = schema
        self._variables = variables
        named = (node for node in document.definitions if isinstance(node, FragmentDefinitionNode))
        self._fragments = {node.name.value: node for node in named}
        self.fetches = 0
        self.nodes = 0

    def weigh(self, selected: SelectionSetNode, parent: GraphQLNamedType, times: int) -> None:
        """Add what is selected, when its parent is there `times` times."""
        for node in selected.selections:
            if isinstance(node, FieldNode):
                self._weigh_field(node, parent, times)
            elif isinstance(node, InlineFragmentNode):
                kind = self._schema.type_map[node.type_condition.name.value] if node.type_condition else parent
                self.weigh(node.selection_set, kind, times)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                self.weigh(fragment.selection_set, self._schema.type_map[fragment.type_condition.name.value], times)

    def _weigh_field(self, node: FieldNode, parent: GraphQLNamedType, times: int) -> None:
        fields: dict[str, GraphQLField] = getattr(parent, "fields", {})
        field = fields.get(node.name.value)
        if field is None or node.selection_set is None:
            return
        kind = get_named_type(field.type)
        arguments = {one.name.value: value_from_ast_untyped(one.value, self._variables) for one in node.arguments or ()}
        if kind.name.endswith("Connection"):
            size = _page_size(node.name.value, arguments)
            self.fetches += times
            times *= size
            self.nodes += times
        if node.name.value == "nodes" and "ids" in arguments:
            times *= _count_ids(arguments["ids"])
            self.nodes += times
        self.weigh(node.selection_set, kind, times)


def _page_size(name: str, arguments: dict[str, Any]) -> int:
    size = arguments.get("first") if arguments.get("first") is not None else arguments.get("last")
    if size is None:
        raise TypedError(
            "MISSING_PAGINATION_BOUNDARIES",
            f"You must provide a `first` or `last` value to properly paginate the `{name}` connection.",
        )
    if not 0 <= size <= PAGE_MAX:
        raise TypedError(
            "EXCESSIVE_PAGINATION",
            f"Requesting {size} records on the `{name}` connection exceeds the `first` limit of {PAGE_MAX} records.",
        )
    return int(size)


def _count_ids(ids: list[str]) -> int:
    if len(ids) > IDS_MAX:
        message = f"You may not provide more than {IDS_MAX} node ids; you provided {len(ids)}."
        raise TypedError("ARGUMENT_LIMIT", message)
    return len(ids)


def weigh(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: dict[str, Any]
) -> Weight:
    """Weigh one operation of a valid document.

    Raises:
        TypedError: a connection without a page size or with one over 100, over 100 ids, or over 500,000 nodes.
    """
    root = schema.get_root_type(operation.operation)
    weigher = _Weigher(schema, document, variables)
    if root is not None:
        weigher.weigh(operation.selection_set, root, 1)
    if weigher.nodes > NODES_MAX:
        message = (
            f"This query requests up to {weigher.nodes:,} possible nodes which exceeds the maximum limit of 500,000."
        )
        raise TypedError("MAX_NODE_LIMIT_EXCEEDED", message)
    return Weight(max(1, round(weigher.fetches / 100)), weigher.nodes)
