"""Question: how many follow-up rows a second are mapped, validated, indexed and stored durably, on one core?

Bar: at least 300 rows/s for 10,000 rows. `python tests/bench/bench_load.py [ROWS]`

Each row gives a dozen resources. The second load of the same file is measured too: everything is unchanged. Rates are
given by the clock and by the process's CPU time, which does not depend on who else uses the machine.
"""

import asyncio
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from fhir_server.app import build_parts, open_store_of
from fhir_server.mapping import load_mappings
from fhir_server.operations.load_files import load_files
from fhir_server.operations.load_records import StoreSink
from fhir_server.operations.map_records import map_files
from fhir_server.settings import Settings

RESIDENTS = 1000
HEAD = "随访编号,编号,姓名,随访日期,随访方式,症状,收缩压,舒张压,体重,目标体重,体质指数,心率,日吸烟量,日饮酒量,运动 次/周,运动 分钟/次,摄盐情况,心理调整,遵医行为,服药依从性,药物不良反应,此次随访分类,药物名称1,用法1,用量1,下次随访日期,随访医生签名"


def resident_rows() -> list[str]:
    """Returns the residents' file."""
    rows = [f"430903107101{n:05d},测试{n},{1 + n % 2},19{40 + n % 40}-05-06" for n in range(RESIDENTS)]
    return ["档案编号,姓名,性别,出生日期", *rows]


def follow_up_rows(count: int) -> list[str]:
    """Returns the follow-up file: every resident in turn, values that vary."""
    rows = [
        f"SF{n:06d},430903107101{n % RESIDENTS:05d},测试{n % RESIDENTS},2025-{1 + n // RESIDENTS % 12:02d}-{1 + n % 28:02d},"
        f"{1 + n % 3},{1 + n % 9},{130 + n % 40},{75 + n % 20},{50 + n % 30}.{n % 10}0,{50 + n % 30},{22 + n % 6}.{n % 10},"
        f"{65 + n % 20},{n % 20},{n % 3},{n % 7},{10 + n % 50},{1 + n % 3},1,1,{1 + n % 2},1,{1 + n % 2},"
        f"氨氯地平片,每日1次,5mg,2025-12-{1 + n % 28:02d},张医生"
        for n in range(count)
    ]
    return [HEAD, *rows]


async def loaded(folder: str, form: str, rows: list[str], *, name: str) -> tuple[float, float, dict[str, object]]:
    """Returns (seconds, CPU seconds, report) of loading rows into the store in `folder`."""
    path = Path(folder) / f"{name}.csv"
    path.write_text("\n".join(rows) + "\n", "utf-8")
    settings = Settings(store=f"sqlite:///{folder}/fhir.db")
    parts = build_parts(settings, store=open_store_of(settings.store, bulk=True))
    run = map_files(load_mappings(), form, "national", [path], now=datetime.now(UTC), validate=parts.validator.check)
    start, cpu_start = time.perf_counter(), time.process_time()
    report = await load_files(run, StoreSink(parts))
    taken, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    await parts.store.close()
    return taken, cpu, report


async def main(count: int) -> None:
    """Loads the residents, then the follow-ups twice, and prints rates."""
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as folder:
        await loaded(folder, "personal-info", resident_rows(), name="residents")
        for what in ("first load", "second load"):
            taken, cpu, report = await loaded(folder, "htn-followup", follow_up_rows(count), name="follow-ups")
            resources = report["resources"]
            made = sum(resources.values())
            print(
                f"{what}: {count / taken:.0f} rows/s, {made / taken:.0f} resources/s; {count / cpu:.0f} rows a CPU second"
            )
            print(f"  {report['stored']}, rejected {report['rejected']}, resources {resources}")
        print(f"store {Path(folder, 'fhir.db').stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
