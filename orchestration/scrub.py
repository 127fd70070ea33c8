"""The boundary behind which no exception text reaches Dagster's storage, logs or UI unscrubbed.

Driver and library exceptions carry row values (reliability.md D11). Every asset, check, resource and sensor function of
this package is wrapped, so what Dagster stores is the safe text of the error and the frames of the stack, no values.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import dagster as dg

from infra.errors import TransientError, safe_message

F = TypeVar("F", bound=Callable[..., Any])


def _failure(error: Exception) -> dg.Failure:
    if isinstance(error, dg.Failure):
        return error
    return dg.Failure(description=safe_message(error), allow_retries=isinstance(error, TransientError))


def scrubbed(function: F) -> F:
    """Turn whatever `function` raises into a `dagster.Failure` with a safe description."""
    # Raised after the except block has ended: inside it the original would ride along as the context.
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            try:
                yield from function(*args, **kwargs)
                return
            except Exception as error:  # noqa: BLE001 - this is the boundary
                failure = _failure(error)
            raise failure

        return generator  # type: ignore[return-value]

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - this is the boundary
            failure = _failure(error)
        raise failure

    return plain  # type: ignore[return-value]
