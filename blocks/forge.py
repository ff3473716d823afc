"""The Prefect block in which operators give the credentials for GitHub, and name the server."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.saved import load_or_default
from parallel_workers.adapters.github.credentials import GitHubCredentials, GivenValues, find_credentials


class GitHubForge(Block):
    """Credentials with which parallel-workers opens and merges pull requests on GitHub.

    Attributes:
        token: A fine-grained or classic token; or else an App.
        app_id: Id of a GitHub App.
        app_private_key: The App's private key, the whole PEM file.
        installation_id: The App's installation; looked up when empty.
        server_url: Where people look, for GitHub Enterprise; the other two addresses follow from it.
        api_url: Address of the REST API.
        graphql_url: Address of the GraphQL API.

    Example:
        ```python
        from blocks.forge import GitHubForge

        GitHubForge(token="...").save("default")
        ```
    """

    _block_type_name = "GitHub for parallel-workers"
    _block_type_slug = "parallel-workers-github"
    _description = "Token or App with which parallel-workers opens, watches and merges pull requests on GitHub."

    # Append only, and never reorder or rename: order and names are in the schema's checksum, and Prefect then
    # warns about, or no longer loads, what users have saved.
    token: SecretStr | None = Field(
        default=None,
        title="Token",
        description="A token with write access to contents and pull requests. Empty: GITHUB_TOKEN or GH_TOKEN.",
    )
    app_id: int | None = Field(default=None, title="App id", description="Instead of a token: a GitHub App's id.")
    app_private_key: SecretStr | None = Field(
        default=None, title="App private key", description="The App's private key: the whole PEM file."
    )
    installation_id: int | None = Field(
        default=None, title="Installation id", description="The App's installation. Empty: looked up."
    )
    server_url: str = Field(
        default="",
        title="Server",
        description="For GitHub Enterprise: https://HOST. Empty: GITHUB_SERVER_URL, github.com.",
    )
    api_url: str = Field(default="", title="REST API", description="Empty: follows from the server.")
    graphql_url: str = Field(default="", title="GraphQL API", description="Empty: follows from the REST API.")

    @classmethod
    async def load_or_default(cls, name: str | None = None) -> Self:
        """The block document of that name; without a name the one called `default`, or an empty one when none is saved.

        Raises:
            UsageError: a name was given and nothing is saved under it, or what is saved does not fit.
        """
        return await load_or_default(cls, name, without_one="and set GITHUB_TOKEN")

    def to_credentials(self, environment: Mapping[str, str] | None = None) -> GitHubCredentials | None:
        """The credentials as the domain knows them, the host's environment standing in for what is empty here.

        None when there are none.

        Raises:
            UsageError: an address is not usable, or only half of an App is given.
        """
        given = GivenValues(
            api_url=self.api_url.strip(),
            graphql_url=self.graphql_url.strip(),
            server_url=self.server_url.strip(),
            token=self.token,
            app_id=self.app_id,
            app_private_key=self.app_private_key,
            installation_id=self.installation_id,
        )
        return find_credentials(given, os.environ if environment is None else environment)
