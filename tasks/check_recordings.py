"""Before a run starts a server, draws or executes anything: do its recordings hold what it will ask them for?

Decides nothing that the run would not decide itself; it says so at once, and in a dry run too. Live models are not asked. Imports
nothing of Prefect, whose settings are not made yet.
"""

from models.backend_config import ReplayConfig
from models.config import RunConfig
from models.run_record import GenerationRequest
from tasks.load_problems import load_problems
from tasks.resources import open_generator


def check_recordings(config: RunConfig) -> None:
    """Raises InputError for a problem or recording that cannot be read, ExhaustedError for a recording that is too short."""
    problems = load_problems(config.benchmark.problems, config.benchmark.limit).values()
    for kind, backend, n in (("solution", config.policy, config.n_solutions), ("test", config.tests, config.n_tests)):
        if isinstance(backend, ReplayConfig) and n:
            asked = [GenerationRequest(task_id=p.task_id, kind=kind, prompt=p.prompt, n=n, seed=0) for p in problems]
            with open_generator(backend) as recording:
                recording.generate(asked)
