"""Sample users: the same people for the same seed, with plausible names and addresses at example domains (RFC 2606)."""

import random
import time
from collections.abc import Iterator
from itertools import islice

from users_site import identifiers
from users_site.models import User, timestamp
from users_site.operations.bulk import Bulk
from users_site.operations.documents import email_of
from users_site.operations.loading import Entry, Loaded
from users_site.operations.walk import newest

SAMPLE = 100
"""The number of newest users that are checked to recognise a production store."""

SAME_TIME = 100
"""Users with the same created_at, made within a millisecond."""

# Each with its ASCII form for the address, if it differs.
FIRST = """
Ada Aisha Alan Amélie/amelie Ana Anders André/andre Anya Björn/bjoern Bruno Camille Carlos Chen Chiara Chloé/chloe
Daniel David Diego Dmitri Elena Elif Emeka Emma Erik Fatima Fatou Finn Francesca Frida Grace Greta Hana Haruto Hassan
Henrik Hugo Ines Ingrid Isabel Ivan Jamal Jana João/joao Johanna Jonas José/jose Julia Kaito Karim Katarina Kofi Kwame
Lars Laszlo/laszlo Leila Leon Lin Linus Lucía/lucia Luca Magnus Malik Mara María/maria Marek Mateo Maya Mehmet Mei Mia
Miguel Mina Mohamed Nadia Naomi Nia Nikolai Nils Noah Noor Olga Oliver Olu Omar Oscar Pablo Petra Priya Rafael Rania
Ravi René/rene Rosa Ruth Samir Sara Sigrid Sofia Søren/soeren Stefan Sunita Sven Tariq Tess Thandi Théo/theo
Tomás/tomas Ursula Valentina Vera Viktor Wei Wiebke Yara Yasmin Yuki Yusuf Zainab Zoë/zoe Zofia
"""

LAST = """
Abebe Adeyemi Ahmed Almeida Andersen Bauer Becker Bergström/bergstroem Bianchi Castillo Chang Costa Da_Silva/dasilva
Diallo Dubois Eriksen Farah Ferrari Fischer Fournier García/garcia González/gonzalez Gruber Gupta Haddad Hansen Haugen
Hernández/hernandez Hoffmann Horváth/horvath Ibrahim Ito Ivanova Jansen Janssen Johansson Kaur Keller Khan Kim Kimura
Koch Kovács/kovacs Kowalski Krüger/krueger Kumar Larsen Laurent Lefèvre/lefevre Lehmann Li Lindqvist López/lopez
Mahmoud Martin Martínez/martinez Mbeki Mensah Meyer Moreau Moretti Müller/mueller Murphy Mwangi Nakamura Ndiaye Nguyen
Nielsen Novak Nowak Nwosu O'Brien/obrien O'Connor/oconnor Okafor Okonkwo Olsen Özdemir/oezdemir Park Patel Pereira
Petrov Popescu Ramos Rossi Ruiz Russo Sánchez/sanchez Santos Sato Schmidt Schneider Schwarz Sharma Silva Singh
Smirnova Sørensen/soerensen Souza Suzuki Svensson Takahashi Tanaka Torres Traoré/traore Tran Usman van_Dijk/vandijk
Varga Vasquez Virtanen Vogel Wagner Walker Wang Weber Williams Wójcik/wojcik Wong Yamamoto Zhang Zimmermann
"""

DOMAINS = ("example.com", "example.org", "example.net")
ADMINS_IN_64 = 1

_TOKEN_BITS = 40
_STRIDE = 0x9E3779B97F  # odd, so that all of a seed's 2^40 users have different tokens


def people(seed: str) -> Iterator[tuple[str, str, str]]:
    """An endless stream of names, emails and roles; every email once."""
    firsts, lasts = [*map(_forms, FIRST.split())], [*map(_forms, LAST.split())]
    draw = random.Random(seed).getrandbits  # noqa: S311 - reproducible, no secret
    token = draw(_TOKEN_BITS)
    while True:
        bits = draw(64)
        first, last = firsts[(bits & 0xFFFF) % len(firsts)], lasts[(bits >> 16 & 0xFFFF) % len(lasts)]
        token = (token + _STRIDE) % (1 << _TOKEN_BITS)
        role = "admin" if (bits >> 32) % 64 < ADMINS_IN_64 else "user"
        domain = DOMAINS[(bits >> 40) % len(DOMAINS)]
        yield f"{first[0]} {last[0]}", f"{first[1]}.{last[1]}.{token:010x}@{domain}", role


def _forms(word: str) -> tuple[str, str]:
    """The name as people write it, and as part of an address."""
    name, _, ascii_form = word.partition("/")
    return name.replace("_", " "), ascii_form or name.lower()


def entries(persons: Iterator[tuple[str, str, str]]) -> Iterator[Entry]:
    """A user for each person, created now, in the order of their ids."""
    milliseconds = 0
    while group := sorted(islice(persons, SAME_TIME), key=lambda person: identifiers.bits_of(person[1])):
        milliseconds = max(milliseconds + 1, time.time_ns() // 1_000_000)
        now = timestamp(milliseconds / 1000)
        user_ids = sorted(identifiers.id_at(milliseconds, identifiers.bits_of(email)) for _, email, _ in group)
        for user_id, (name, email, role) in zip(user_ids, group, strict=True):
            yield Entry(user_id, email, User(user_id, name, email, role, now, now).document())


def ids(loaded: Loaded) -> list[str]:
    """The ids of a batch's users; for one whose email is taken, the id that holds it."""
    holders = {conflict.entry.id: conflict.holder for conflict in loaded.conflicts}
    return [holders.get(entry.id) or entry.id for entry in loaded.entries]


def has_real_people(bulk: Bulk) -> bool:
    """Whether one of the newest users has an address outside the example domains."""
    return any(email_of(document).rpartition("@")[2].lower() not in DOMAINS for document in newest(bulk, SAMPLE))
