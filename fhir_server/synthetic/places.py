"""The township and its institutions: county hospital, township health centre, a clinic in each village. WS 218-2002."""

from dataclasses import dataclass
from random import Random

from fhir_server.fhir.shapes import JsonObject
from fhir_server.synthetic.numbers import credit_code

COUNTY, COUNTY_NAME = "430903", "湖南省益阳市赫山区"
TOWN, TOWN_NAME = "430903107", "岳家桥镇"
HOSPITAL, HOSPITAL_NAME = "43090300100100", "赫山区演示中心医院"
CENTRE, CENTRE_NAME = "43090310700100", "岳家桥镇演示卫生院"

_VILLAGE_FIRST = "云石荷松竹枫金青白龙新长双大东西南北清玉"
_VILLAGE_SECOND = "溪桥塘山冲坪湾岭泉田铺塅洲坝林"


@dataclass(frozen=True, slots=True)
class Village:
    """A village: its 12-digit division code, its name, and the code of its clinic."""

    code: str
    name: str
    clinic: str

    @property
    def address(self) -> str:
        """The village as addresses begin."""
        return f"{COUNTY_NAME}{TOWN_NAME}{self.name}"


def build_villages(rng: Random, count: int) -> tuple[Village, ...]:
    """Returns villages with different names, at most 300."""
    names = [a + b for a in _VILLAGE_FIRST for b in _VILLAGE_SECOND]
    rng.shuffle(names)
    return tuple(
        Village(f"{TOWN}{200 + n:03d}", f"{name}村", f"{TOWN}{100 + n:03d}00")
        for n, name in enumerate(names[:count], 1)
    )


def organization_records(rng: Random, villages: tuple[Village, ...]) -> list[JsonObject]:
    """Returns the institutions as records of the form `organization`, superior ones first."""
    hospital: JsonObject = {"orgCode": HOSPITAL, "name": HOSPITAL_NAME, "type": "A100", "level": "5"}
    hospital |= {"area": f"{COUNTY}001", "phone": "0737-4200120", "address": f"{COUNTY_NAME}演示大道1号"}
    centre: JsonObject = {"orgCode": CENTRE, "name": CENTRE_NAME, "type": "C220", "level": "11", "parentCode": HOSPITAL}
    centre |= {"area": TOWN, "phone": "0737-4200107", "address": f"{COUNTY_NAME}{TOWN_NAME}演示街2号"}
    return [_registered(rng, record) for record in (hospital, centre, *map(_clinic, villages))]


def _clinic(village: Village) -> JsonObject:
    return {
        "orgCode": village.clinic,
        "name": f"{TOWN_NAME}{village.name}卫生室",
        "type": "D600",
        "level": "14",
        "parentCode": CENTRE,
        "area": village.code,
        "address": f"{village.address}1组1号",
    }


def _registered(rng: Random, record: JsonObject) -> JsonObject:
    """In business, with its credit code; one clinic in ten has no network."""
    is_offline = record["type"] == "D600" and rng.random() < 0.1
    return record | {"status": "0", "network": "0" if is_offline else "1", "uscc": credit_code(rng, COUNTY)}
