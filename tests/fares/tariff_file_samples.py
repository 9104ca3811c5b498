"""Small good files of every format, written by hand, each with the job that reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

from transitpay.fares.tariff_files import SourceFile
from transitpay.fares.tariff_files.formats import Job
from transitpay.fares.tariff_files.gtfs import GtfsChoice
from transitpay.fares.terms_file import TermsFile, read_terms_file
from transitpay.runtime.builtin import published_terms

DAY = date(2026, 1, 1)
_PUBLISHED = published_terms()
PLAIN_TERMS = """network = "plain"
currency = "CNY"
[step]
value = "0.10"
source = "its fares"
grade = "D"
"""


def plain_terms() -> TermsFile:
    """Terms of a network that has nothing but a step."""
    read = read_terms_file(SourceFile("terms.toml", PLAIN_TERMS.encode()))
    assert read.file is not None
    return read.file


_MTR_FARES = """SRC_STATION_NAME,SRC_STATION_ID,DEST_STATION_NAME,DEST_STATION_ID,\
OCT_ADT_FARE,SINGLE_ADT_FARE
Central,1,Central,1,0.00,0.00
Central,1,Lo Wu,76,52.20,66.00
Central,1,Hong Kong,39,0.00,0.00
Lo Wu,76,Central,1,52.20,66.00
Lo Wu,76,Lo Wu,76,0.00,0.00
Lo Wu,76,Hong Kong,39,52.20,66.00
Hong Kong,39,Central,1,0.00,0.00
Hong Kong,39,Lo Wu,76,52.20,66.00
"""
_MTR_STATIONS = """Line Code,Direction,Station Code,Station ID,Chinese Name,English Name,Sequence
ISL,UT,CEN,1,中環,Central,1.00
EAL,UT,LOW,76,羅湖,Lo Wu,2.00
,,,,,,
"""
_ROUTE_BUS = """<?xml version="1.0" encoding="UTF-8"?>
<dataroot generated="2026-03-31T12:35:51">
<ROUTE><ROUTE_ID>1723</ROUTE_ID><COMPANY_CODE>NLB</COMPANY_CODE><ROUTE_NAMEE>1</ROUTE_NAMEE>
<LOC_START_NAMEC>梅窩</LOC_START_NAMEC><LOC_END_NAMEC>大澳</LOC_END_NAMEC>
<LOC_START_NAMEE>Mui Wo &amp; Pier</LOC_START_NAMEE><LOC_END_NAMEE>Tai O</LOC_END_NAMEE>
<FULL_FARE>21.4</FULL_FARE></ROUTE>
<ROUTE><ROUTE_ID>1001</ROUTE_ID><COMPANY_CODE>KMB+CTB</COMPANY_CODE><ROUTE_NAMEE>9</ROUTE_NAMEE>
<FULL_FARE>6</FULL_FARE></ROUTE>
</dataroot>
"""
_BOARDING = {
    "routeList": {
        "1+1+A+C": {
            "route": "1",
            "co": ["kmb"],
            "stops": {"kmb": ["a", "b", "c"]},
            "serviceType": 1,
            "bound": "O",
            "orig": {"en": "A", "zh": "甲"},
            "dest": {"en": "C", "zh": "丙"},
            "fares": ["6.2", "5.4"],
            "seq": 3,
        },
        "2+1+A+C": {
            "route": "2",
            "co": ["kmb"],
            "stops": {"kmb": ["a", "b", "c"]},
            "serviceType": "1",
            "bound": "O",
            "orig": {"en": "A", "zh": "甲"},
            "dest": {"en": "C", "zh": "丙"},
            "fares": ["5.4", "6.2"],
            "seq": 3,
        },
    },
    "stopList": {
        stop: {"stop": stop, "name_en": stop.upper(), "name_tc": "灣", "name_sc": "湾", "lat": 22.3}
        for stop in "abc"
    },
}
_NAMES = ("甲", "乙", "丙")
_SHENZHEN = {
    "metro-fare-stations.json": {
        "stations": [
            {"index": i, "id": f"{line}:{i}", "name": name}
            for i, (line, name) in enumerate(
                zip(("11号线", "11号线", "1号线"), _NAMES, strict=True)
            )
        ]
    },
    "metro-fares-standard.json": {
        "fareType": "standard",
        "currency": "CNY",
        "matrix": [[2, 3, 4], [3, 2, 3], [4, 3, 2]],
    },
    "metro-network.json": {
        "l": [
            {
                "st": [
                    {"n": name, "poiid": f"110{i}", "en": f"Station {i}"}
                    for i, name in enumerate(_NAMES)
                ]
            }
        ]
    },
    "metro-fares-business.json": {
        "fareType": "business",
        "currency": "CNY",
        "matrix": [[6, 9, 8], [9, 6, 7], [8, 7, 6]],
    },
    "metro-line-metrics.json": {
        "edges": [
            {"from": "甲", "to": "乙", "distanceMeters": 4001},
            {"from": "乙", "to": "丙", "distanceMeters": 4000},
        ]
    },
}
_CSV = {
    "stops.csv": "kind,id,en,zh_hant,zh_hans,other\nstation,t1,Old Harbour,舊港,旧港,OHB|1\n"
    "station,t2,Market,市場,,\n",
    "fares.csv": "kind,from,to,route,amount\nmatrix,t1,t2,,3.00\nmatrix,t2,t1,,3.50\n",
}
_GTFS = {
    "agency.txt": "agency_id,agency_name\na,Metro\n",
    "stops.txt": "stop_id,stop_name,location_type,parent_station\ns1,Old Harbour,1,\n"
    "p1,Platform,0,s1\ns2,Market,,\n",
    "routes.txt": "route_id,agency_id,route_short_name,network_id\nm1,a,M1,metro\n",
    "areas.txt": "area_id\nin\nout\n",
    "stop_areas.txt": "area_id,stop_id\nin,s1\nout,s2\n",
    "rider_categories.txt": "rider_category_id,is_default_fare_category\nadult,1\nchild,\n",
    "fare_media.txt": "fare_media_id,fare_media_type\ncode,4\n",
    "fare_products.txt": "fare_product_id,rider_category_id,fare_media_id,amount,currency\n"
    "one,adult,,2.00,CNY\none,child,,1.00,CNY\nless,,code,-0.50,CNY\n",
    "fare_leg_rules.txt": "leg_group_id,network_id,from_area_id,to_area_id,fare_product_id\n"
    "g,metro,in,out,one\ng,metro,out,in,one\n",
    "fare_transfer_rules.txt": "from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,"
    "duration_limit_type,fare_transfer_type,fare_product_id\ng,g,-1,1800,2,1,less\n",
}


def _files(texts: Mapping[str, str]) -> tuple[SourceFile, ...]:
    return tuple(SourceFile(name, text.encode()) for name, text in texts.items())


def _json(values: Mapping[str, object]) -> tuple[SourceFile, ...]:
    return _files({name: json.dumps(value, ensure_ascii=False) for name, value in values.items()})


#: format -> (job, files that it reads without a problem).
SAMPLES: Mapping[str, tuple[Job, tuple[SourceFile, ...]]] = {
    "mtr": (
        Job(DAY, _PUBLISHED["mtr"]),
        _files({"mtr_lines_fares.csv": _MTR_FARES, "mtr_lines_and_stations.csv": _MTR_STATIONS}),
    ),
    "route-bus": (
        Job(DAY, _PUBLISHED["nlb"]),
        _files({"ROUTE_BUS.xml": _ROUTE_BUS, "weekday.csv": "route,amount\n1,12.6\n"}),
    ),
    "boarding-fares": (Job(DAY, _PUBLISHED["kmb"]), _json({"routeFareList.json": _BOARDING})),
    "shenzhen-metro": (Job(DAY, _PUBLISHED["shenzhen-metro"]), _json(_SHENZHEN)),
    "csv": (Job(DAY, plain_terms()), _files(_CSV)),
    "gtfs": (Job(DAY, plain_terms(), GtfsChoice(media="code")), _files(_GTFS)),
}
