"""Parsing: once per definition, since the components of a parsed definition keep no state of a run."""

from __future__ import annotations

import json
import logging
from functools import lru_cache
from typing import Any

from moto.stepfunctions import models
from moto.stepfunctions.parser import models as parser_models
from moto.stepfunctions.parser.asl.component.common.error_name import error_equals_decl
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import json_path

_TERMINAL = tuple(
    StatesErrorName(typ=kind)
    for kind in (StatesErrorNameType.StatesRuntime, StatesErrorNameType.StatesStatesDataLimitExceeded)
)
_parse = AmazonStateLanguageParser.parse
_parse_path = lru_cache(maxsize=1024)(json_path.parse)
_parse_result_path = lru_cache(maxsize=1024)(result_path.parse)


def patch() -> None:
    """Install. moto keeps two sets of backends; all of moto is to use the one with the interpreter."""
    # The interpreter warns that ToleratedFailurePercentage has no effect; here it has.
    logging.getLogger("moto.stepfunctions.parser.asl.parse.preprocessor").setLevel(logging.ERROR)
    models.stepfunctions_backends = parser_models.stepfunctions_parser_backends
    json_path.parse = _parse_path
    result_path.parse = _parse_result_path
    AmazonStateLanguageParser.parse = staticmethod(parse)
    EvalComponent.heap_key = property(lambda self: str(id(self)))
    error_equals_decl.ErrorEqualsDecl._eval_body = _matches


@lru_cache(maxsize=256)
def parse(definition: str) -> tuple[Any, Any]:
    """Return the program and the parse tree of a definition."""
    return tuple(_parse(json.dumps(_accepted(json.loads(definition)))))


def _accepted(value: Any) -> Any:
    """Rewrite what AWS accepts and the parser does not: an integer as ToleratedFailurePercentage."""
    if isinstance(value, list):
        return [_accepted(item) for item in value]
    if not isinstance(value, dict):
        return value
    percentage = value.get("ToleratedFailurePercentage")
    changed = {"ToleratedFailurePercentage": float(percentage)} if isinstance(percentage, int) else {}
    return {key: _accepted(item) for key, item in value.items()} | changed


def _matches(self: Any, env: Environment) -> None:
    """Match an error name; States.ALL does not match what AWS calls terminal errors."""
    error_name = env.stack.pop()
    if self._STATE_ALL_ERROR in self.error_names:
        matches = error_name not in _TERMINAL
    elif self._STATE_TASK_ERROR in self.error_names and not isinstance(error_name, StatesErrorName):
        matches = True
    else:
        matches = error_name in self.error_names
    env.stack.append(matches)
