"""Chat models that need no network: what they answer is decided by plain rules."""

import re
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from examples.pace import linger

_TOKEN = re.compile(r"\s*\S+|\s+")


class OfflineModel(BaseChatModel):
    """A chat model whose answers `reply` makes; a token is a word and the white space before it.

    Attributes:
        delay: seconds from one token to the next, more or less.
    """

    delay: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "offline"

    @abstractmethod
    def reply(self, messages: list[BaseMessage], **kwargs: Any) -> AIMessage:
        """Return the whole answer to a conversation; `kwargs` are what the model was bound to."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.reply(messages, **kwargs))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        reply = self.reply(messages, **kwargs)
        for token in _TOKEN.findall(reply.text):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
            if run_manager:
                await run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk
            # Without a delay too each token lets the loop send it, or cancel the rest, as a network's would.
            await linger(self.delay)
        if reply.tool_calls:
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_calls=reply.tool_calls))


class Copyist(OfflineModel):
    """Answer with the text of the last message."""

    def reply(self, messages: list[BaseMessage], **kwargs: Any) -> AIMessage:
        """Return the last message's text."""
        return AIMessage(messages[-1].text)
