"""What a value is called inside a sentence: stations, routes, amounts, times, days and ids."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import TypeAlias, assert_never

from transitpay.fares.names import Language
from transitpay.fares.tariff import Stop
from transitpay.money import Money

#: The order of every row of three texts.
LANGUAGES = (Language.ZH_HANT, Language.ZH_HANS, Language.EN)

#: Text is an id that has a name in each language, or shown as it is spelled.
Value: TypeAlias = Stop | Money | timedelta | date | int | str

#: Networks, wallets, calendars, periods and ends of a ride.
NAMES: Mapping[str, tuple[str, str, str]] = {
    "mtr": ("港鐵", "港铁", "MTR"),
    "kmb": ("九巴", "九巴", "KMB"),
    "citybus": ("城巴", "城巴", "Citybus"),
    "nlb": ("新大嶼山巴士", "新大屿山巴士", "New Lantao Bus"),
    "shenzhen-metro": ("深圳地鐵", "深圳地铁", "Shenzhen Metro"),
    "shenzhen-bus": ("深圳巴士", "深圳公交", "Shenzhen buses"),
    "guangzhou-bus": ("廣州巴士", "广州公交", "Guangzhou buses"),
    "zhongshan-bus": ("中山巴士", "中山公交", "Zhongshan buses"),
    "foshan-bus": ("佛山巴士", "佛山公交", "Foshan buses"),
    "alipayhk": ("AlipayHK", "AlipayHK", "AlipayHK"),
    "alipay": ("支付寶", "支付宝", "Alipay"),
    "shenzhen-tong": ("深圳通", "深圳通", "Shenzhen Tong"),
    "shenzhen-tong-card": ("深圳通卡", "深圳通卡", "the Shenzhen Tong card"),
    "hong-kong": ("香港", "香港", "Hong Kong"),
    "mainland": ("內地", "内地", "the mainland"),
    "day": ("每日", "每日", "day"),
    "week": ("每週", "每周", "week"),
    "month": ("每月", "每月", "month"),
    "entry": ("入閘", "进站", "entry"),
    "exit": ("出閘", "出站", "exit"),
}
_CURRENCIES = {"HKD": ("港幣", "港币"), "CNY": ("人民幣", "人民币")}
_MINUTES = {
    Language.ZH_HANT: ("{} 分鐘", " {} 秒"),
    Language.ZH_HANS: ("{} 分钟", " {} 秒"),
    Language.EN: ("{} min", " {} s"),
}


def word(value: Value, language: Language) -> str:
    """The value as riders read it. Worked: 151 min 20 s; 66.00 as 港幣 66.00 元."""
    match value:
        case str():
            names = NAMES.get(value)
            return value if names is None else names[LANGUAGES.index(language)]
        case Stop():
            return value.name(language)
        case Money():
            return _amount(value, language)
        case timedelta():
            whole, seconds = _MINUTES[language]
            minutes, rest = divmod(value, timedelta(minutes=1))
            return whole.format(minutes) + (seconds.format(rest.seconds) if rest else "")
        case date():
            if language is Language.EN:
                return value.isoformat()
            return f"{value.year} 年 {value.month} 月 {value.day} 日"
        case int():
            return str(value)
        case _:
            assert_never(value)


def _amount(value: Money, language: Language) -> str:
    if language is Language.EN or value.currency.code not in _CURRENCIES:
        return str(value)
    name = _CURRENCIES[value.currency.code][LANGUAGES.index(language)]
    return f"{name} {value.major():,f} 元"
