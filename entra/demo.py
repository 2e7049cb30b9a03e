"""Generate a demo tenant with plausible users and groups; the same seed makes the same tenant."""

import base64
import random
import re
import unicodedata
import uuid

from entra.tenant import DirectoryObject, Source, Tenant

GIVEN = """
    Amelia Noah Søren Zoë François Ayşe Łukasz Björn Chloé Mateusz Ingrid Siân José Renée Đorđe Nguyễn Anaïs
    Olivia Liam Priya Kwame Yuki Fatima Carlos Mei Ahmed Elena Tomás Aoife Dmitri Leila Henrik Giulia Omar
    Hannah Jamal Sofia Pedro Noor Viktor Grace Samuel Amara Felix Ines Rahul Clara Hugo Nadia Theo 田中 Ελένη
"""
FAMILY = """
    Smith O'Brien García Müller D'Angelo Øster Nowak Şahin Ó'Neill Kowalski Lefèvre Tanaka Okafor Johansson
    Rossi Fernández Dvořák Papadopoulos Ivanova Haddad Kim Nguyen Silva Andersson Costa Mbeki Dubois Weiß
    Larsen Popescu Chen Patel Byrne Novák Moreau Castillo Jensen Bianchi Horvat Adeyemi Schäfer Murphy Sato
    Reyes Björk Van-der-Berg
"""
ROMANISED = {"田中": "tanaka", "Ελένη": "eleni"}
DEPARTMENTS = {
    "Engineering": ("Software Engineer", "Platform Engineer", "QA Engineer"),
    "Sales": ("Account Executive", "Sales Engineer", "Sales Representative"),
    "Finance": ("Accountant", "Financial Analyst", "Controller"),
    "Human Resources": ("Recruiter", "HR Partner", "Payroll Specialist"),
    "Operations": ("Operations Analyst", "Facilities Coordinator", "Buyer"),
    "Research & Development": ("Researcher", "Laboratory Technician", "Data Scientist"),
    "Legal": ("Counsel", "Paralegal", "Compliance Officer"),
}
OFFICES = (
    ("Dublin HQ", "1 Sir John Rogerson's Quay", "Dublin", "Leinster", "D02 X576", "IE", "en-IE", "353 1"),
    ("Kraków Office", "ul. Świętego Krzyża 7", "Kraków", "Małopolska", "31-028", "PL", "pl-PL", "48 12"),
    ("San José Lab", "400 W. San Carlos St.", "San José", "CA", "95110", "US", "en-US", "1 408"),
    ("München Büro", "Theresienhöhe 12", "München", "Bayern", "80339", "DE", "de-DE", "49 89"),
)
ROLES = (
    {"id": "1b4f816e-5eaf-48b9-8613-7923830595ad", "value": "Admin", "displayName": "Administrator"},
    {"id": "18d14569-c3bd-439b-9a66-3a2aee01d14f", "value": "User", "displayName": "User"},
    {"id": "8f29f99a-1a5f-4b9e-8a2c-d39f5a8c8a11", "value": "Auditor", "displayName": "Auditor"},
)
GROUPS = ("All Staff", "VPN Users", "Badge München", "Project Ægir", "On-call", "Works Council", "Contractors")


def generate(users: int, groups: int, seed: int = 1, domain: str = "contoso.example") -> Tenant:
    """Return a tenant with managers, guests, disabled accounts, unusual names, app roles and groups."""
    return _Generator(random.Random(seed), domain).tenant(users, groups)  # noqa: S311 (not a secret)


def random_uuid(rng: random.Random) -> str:
    """Return a UUID that depends on the generator's seed only."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


class _Generator:
    def __init__(self, rng: random.Random, domain: str) -> None:
        self.rng = rng
        self.domain = domain
        self.aliases: set[str] = set()

    def tenant(self, users: int, groups: int) -> Tenant:
        tenant = Tenant(domain=self.domain)
        people = [self.user(number) for number in range(1, users + 1)]
        self.set_managers(people)
        for kind, sources in (("User", people), ("Group", self.groups(groups, people))):
            tenant.objects.update({source["objectId"]: DirectoryObject(kind, source) for source in sources})
        tenant.assignments = set(tenant.objects)
        return tenant

    def user(self, number: int) -> Source:
        given, family = self.rng.choice(GIVEN.split()), self.rng.choice(FAMILY.split())
        alias = self.alias(given, family)
        department = self.rng.choice(list(DEPARTMENTS))
        user: Source = {
            "objectId": random_uuid(self.rng),
            "userPrincipalName": f"{alias}@{self.domain}",
            "accountEnabled": self.rng.random() > 0.04,
            "userType": "Member",
            "displayName": f"{given} {family}",
            "givenName": given,
            "surname": family,
            "mail": f"{alias}@{self.domain}",
            "mailNickname": alias,
            "employeeId": f"E{number:06}",
            "department": department,
            "jobTitle": self.rng.choice(DEPARTMENTS[department]),
            "immutableId": base64.b64encode(self.rng.randbytes(16)).decode(),
            "appRoleAssignments": [dict(r) for r in self.rng.sample(ROLES, self.rng.choice((0, 1, 1, 2)))],
        }
        self.set_office(user)
        user["extensionAttribute1"] = f"B-{number:05}"
        if self.rng.random() < 0.5:
            user["extensionAttribute2"] = self.rng.choice(("Day shift", "Night shift"))
        if self.rng.random() < 0.03:
            self.make_guest(user, f"{alias}@fabrikam.example")
        return user

    def set_office(self, user: Source) -> None:
        office, street, city, state, code, country, language, prefix = self.rng.choice(OFFICES)
        user.update(
            physicalDeliveryOfficeName=office, streetAddress=street, city=city, state=state, postalCode=code,
            country=country, preferredLanguage=language,
            telephoneNumber=f"+{prefix} 555 {self.rng.randrange(10000):04}",
        )  # fmt: skip
        if self.rng.random() < 0.6:
            user["mobile"] = f"+{prefix.split()[0]} 85 {self.rng.randrange(10**7):07}"

    def make_guest(self, user: Source, mail: str) -> None:
        name = mail.replace("@", "_") + f"#EXT#@{self.domain}"
        user.update(userPrincipalName=name, mail=mail, userType="Guest")
        user.pop("immutableId")

    def set_managers(self, people: list[Source]) -> None:
        """Give 97 % of the users a manager from earlier in the list, so that managers form a tree."""
        for index, person in enumerate(people[1:], start=1):
            if self.rng.random() < 0.97:
                person["manager"] = people[self.rng.randrange(min(index, 1 + index // 8 + 1))]["objectId"]

    def groups(self, count: int, people: list[Source]) -> list[Source]:
        names = [*GROUPS, *DEPARTMENTS][:count]
        names += [f"Team {number:03}" for number in range(1, count - len(names) + 1)]
        return [self.group(name, people) for name in names]

    def group(self, name: str, people: list[Source]) -> Source:
        members = [p for p in people if p["department"] == name]
        if not members:
            share = 1.0 if name == "All Staff" else self.rng.choice((0.02, 0.05, 0.1))
            members = self.rng.sample(people, round(len(people) * share)) if share < 1 else people
        return {
            "objectId": random_uuid(self.rng),
            "displayName": name,
            "description": f"Members of {name}",
            "members": [p["objectId"] for p in members],
        }

    def alias(self, given: str, family: str) -> str:
        plain = ".".join(_ascii(part) for part in (given, family))
        alias, number = plain, 1
        while alias in self.aliases:
            number += 1
            alias = f"{plain}{number}"
        self.aliases.add(alias)
        return alias


def _ascii(text: str) -> str:
    text = ROMANISED.get(text, text)
    # The apostrophe is kept: it is valid in a user principal name, and endpoints must accept it in a filter.
    text = text.translate(str.maketrans("øØłŁđĐßıæ", "oOlLdDsia"))
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9'-]", "", plain.lower())
