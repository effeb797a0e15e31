"""The engines of the test set-up themselves run containers: without that, everything built on them would only seem to be tested."""
import pytest

from engines import IMAGE


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    return request.getfixturevalue(request.param + "_engine")


def test_a_container_runs(engine):
    status, answer = engine.call("POST", "/containers/create?name=set-up", {"Image": IMAGE, "Cmd": ["sh", "-c", "exit 3"]})
    assert status == 201, answer
    assert engine.call("POST", "/containers/set-up/start")[0] == 204
    status, answer = engine.call("POST", "/containers/set-up/wait")
    assert status == 200 and b'"StatusCode":3' in answer, answer
    assert engine.call("DELETE", "/containers/set-up")[0] in (200, 204)
