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
        Village(f"{TOWN}{200 + n:03d}", f"{name}村", f"{TOWN}{100 + n:03d}00") for n, name in enumerate(names[:count], 1)
    )


def organization_records(rng: Random, villages: tuple[Village, ...]) -> list[JsonObject]:
    """Returns the institutions as records of the form `organization`, superior ones first."""
    hospital = _organization(rng, HOSPITAL, HOSPITAL_NAME, "A100", f"{COUNTY}001", level="5", phone="0737-4200120")
    centre = _organization(rng, CENTRE, CENTRE_NAME, "C220", TOWN, level="11", phone="0737-4200107", parent=HOSPITAL)
    return [
        hospital | {"address": f"{COUNTY_NAME}演示大道1号"},
        centre | {"address": f"{COUNTY_NAME}{TOWN_NAME}演示街2号"},
        *(_clinic(rng, village) for village in villages),
    ]


def _clinic(rng: Random, village: Village) -> JsonObject:
    name = f"{TOWN_NAME}{village.name}卫生室"
    record = _organization(rng, village.clinic, name, "D600", village.code, level="14", parent=CENTRE)
    return record | {"address": f"{village.address}1组1号", "network": "1" if rng.random() < 0.9 else "0"}


def _organization(
    rng: Random, code: str, name: str, type_: str, area: str, *, level: str, parent: str = "", phone: str = ""
) -> JsonObject:
    record = {"orgCode": code, "name": name, "type": type_, "level": level, "area": area, "status": "0", "network": "1"}
    optional = {"parentCode": parent, "phone": phone, "uscc": credit_code(rng, COUNTY)}
    return record | {key: value for key, value in optional.items() if value}
