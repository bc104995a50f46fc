"""A chat model that needs no network: it thinks by plain rules where it has tools, and answers where not."""

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from examples.offline import OfflineModel
from examples.thinker.notes import take
from examples.thinker.policy import answer, next_step


class Reader(OfflineModel):
    """Answer the last question of a conversation from what the tools have told in it."""

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model as it is when it may call tools."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def reply(self, messages: list[BaseMessage], **kwargs: Any) -> AIMessage:
        """Return the next thought, with tools to call, or the answer."""
        notes = take(messages)
        return next_step(notes) if kwargs.get("tools") else AIMessage(answer(notes))
