"""Documents with facts planted in them, and questions about the facts.

Everything is a function of a seed: the same seed gives the same document, questions and answers on
every machine. Names are split in two by a checksum: a held-out document draws all its places and
surnames from names that no training document contains.
"""

import random
import re
import zlib
from dataclasses import dataclass

SPLITS = ("train", "held_out")

CITIES = """
Aarhus Adelaide Alicante Amiens Ancona Antwerp Arezzo Arles Athens Augsburg Aveiro Avignon Bari
Basel Bath Bergamo Bergen Berlin Bern Bilbao Bologna Bolzano Bonn Boston Braga Bremen Brescia Brest
Bristol Bruges Brussels Bucharest Budapest Burgos Cadiz Cairo Calais Cardiff Carthage Cassel Catania
Chester Chicago Coimbra Cologne Copenhagen Cordoba Cork Cremona Dallas Danzig Delft Derby Dijon
Dover Dresden Dublin Dundee Durham Edinburgh Erfurt Essen Evora Exeter Faro Ferrara Florence
Frankfurt Freiburg Galway Geneva Genoa Ghent Girona Glasgow Gothenburg Granada Graz Grenoble Haarlem
Halifax Hamburg Hanover Helsinki Hereford Innsbruck Istanbul Jaffa Jena Kazan Kiel Kyoto Lausanne
Leeds Leiden Leipzig Lima Limerick Lincoln Linz Lisbon Liverpool London Lublin Lucca Lugano Lund
Lyon Madrid Mainz Malaga Malmo Manchester Mantua Marseille Melbourne Messina Metz Milan Modena
Montreal Munich Murcia Nantes Naples Narvik Newcastle Nice Norwich Novara Odense Oporto Oslo Ostend
Oxford Padua Palermo Paris Parma Pavia Perugia Pisa Plymouth Porto Potsdam Prague Quebec Ravenna
Reims Rennes Riga Rimini Rome Rostock Rouen Salamanca Salerno Salzburg Santander Segovia Seville
Sheffield Siena Sofia Stavanger Stockholm Strasbourg Stuttgart Sydney Syracuse Tallinn Tampere
Tangier Toledo Toronto Toulon Toulouse Trento Trier Trieste Tromso Trondheim Turin Turku Udine Ulm
Uppsala Utrecht Valencia Valletta Venice Verona Vicenza Vienna Vigo Vilnius Warsaw Weimar Winchester
Worms Wroclaw York Zagreb Zaragoza Zurich
""".split()
INSTITUTIONS = """
archive library museum observatory harbour theatre mill bakery school clinic bridge station
lighthouse brewery garden workshop foundry market chapel academy shipyard vineyard hospital
laboratory
""".split()
FIRST_NAMES = """
Ada Agnes Albert Alice Anna Anton Arthur Bruno Carl Carla Clara David Diana Edith Elena Elias Emil
Emma Erik Eva Felix Flora Frida Georg Greta Hanna Helen Henrik Hugo Ida Irene Ivan Jakob Jana Johan
Julia Karin Klaus Laura Leo Lina Louis Lucia Magnus Maria Marta Martin Max Mira Nina Nora Olga Oscar
Otto Paul Paula Peter Rosa Rudolf Ruth Sara Simon Sofia Stefan Theo Thomas Vera Victor Walter
""".split()
SURNAMES = """
Abbott Alvarez Andersen Barnes Becker Bennett Bianchi Brandt Carter Castro Conti Costa Dahl Dupont
Ellis Ferrari Fischer Fontaine Foster Franke Garcia Gomes Hansen Hartmann Herrera Holm Hughes Jansen
Keller Klein Kovacs Lange Larsen Laurent Lindberg Lopez Marino Martins Mercer Meyer Moreau Moretti
Morgan Murphy Nilsson Novak Oliveira Olsen Palmer Peeters Pereira Petrov Ramos Ricci Romero Rossi
Santos Schmidt Silva Sorensen Stein Torres Vogel Wagner Walsh Weber Winter
""".split()
PLACE_ENDINGS = """
berg bridge burg by dale den field ford gate grave ham haven holm land lund mere mont mouth port
stad stead ton vale wick worth
""".split()
SURNAME_ENDINGS = (
    "ard berg dal ell er esco itz man mark off ova quist sen ski son strom well".split()
)
ONSETS = "b br c cl d dr f fl g gr h j k kr l m n p pl qu r s sh st t tr v w y z".split()
VOWELS = "aeiou"
CODAS = " n r l s m t nd rn st".split(" ")
MONTHS = (
    "January February March April May June July August September October November December".split()
)


@dataclass(frozen=True)
class Attribute:
    """A property of a subject; the ways to state it ({s} subject, {v} value) and to ask for it."""

    kind: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]


def _attribute(kind: str, noun: str, statements: list[str], questions: list[str]) -> Attribute:
    common_statements = [
        f"The {noun} of the {{s}} is {{v}}",
        f"For the {{s}}, the {noun} is {{v}}",
        f"As for the {{s}}, its {noun} is {{v}}",
        f"According to the records, the {noun} of the {{s}} is {{v}}",
        f"The {{s}} is listed with the {noun} {{v}}",
    ]
    common_questions = [
        f"What is the {noun} of the {{s}}?",
        f"Tell me the {noun} of the {{s}}.",
        f"Please give the {noun} of the {{s}}.",
        f"For the {{s}}, what is the {noun}?",
    ]
    return Attribute(
        kind, tuple(common_statements + statements), tuple(common_questions + questions)
    )


ATTRIBUTES = (
    _attribute(
        "code",
        "access code",
        ["Whoever enters the {s} needs the access code {v}"],
        ["Which access code opens the {s}?"],
    ),
    _attribute(
        "code",
        "alarm code",
        ["The alarm of the {s} is turned off with the code {v}"],
        ["Which code turns off the alarm of the {s}?"],
    ),
    _attribute(
        "code",
        "catalogue number",
        ["In the catalogue the {s} has the number {v}"],
        ["Which number has the {s} in the catalogue?"],
    ),
    _attribute(
        "code",
        "licence number",
        ["The {s} works under the licence {v}"],
        ["Under which licence does the {s} work?"],
    ),
    _attribute(
        "name",
        "director",
        ["The {s} is directed by {v}"],
        ["Who directs the {s}?", "Who is the director of the {s}?"],
    ),
    _attribute(
        "name",
        "keeper",
        ["The keys of the {s} are kept by {v}"],
        ["Who keeps the keys of the {s}?", "Who is the keeper of the {s}?"],
    ),
    _attribute(
        "name",
        "architect",
        ["The {s} was designed by {v}"],
        ["Who designed the {s}?", "Who is the architect of the {s}?"],
    ),
    _attribute(
        "name",
        "treasurer",
        ["The accounts of the {s} are held by {v}"],
        ["Who holds the accounts of the {s}?", "Who is the treasurer of the {s}?"],
    ),
    _attribute(
        "date",
        "opening date",
        ["The {s} was opened on {v}"],
        ["When was the {s} opened?", "On which date was the {s} opened?"],
    ),
    _attribute(
        "date",
        "inspection date",
        ["The {s} was inspected on {v}"],
        ["When was the {s} inspected?", "On which date was the {s} inspected?"],
    ),
    _attribute(
        "date",
        "repair date",
        ["The roof of the {s} was repaired on {v}"],
        ["When was the roof of the {s} repaired?"],
    ),
    _attribute(
        "date",
        "charter date",
        ["The charter of the {s} was signed on {v}"],
        ["When was the charter of the {s} signed?"],
    ),
    _attribute(
        "amount",
        "annual budget",
        ["Every year the {s} spends {v}"],
        ["How much does the {s} spend every year?"],
    ),
    _attribute(
        "amount",
        "insured value",
        ["The {s} is insured for {v}"],
        ["For how much is the {s} insured?"],
    ),
    _attribute(
        "amount",
        "debt",
        ["The {s} still owes the bank {v}"],
        ["How much does the {s} still owe the bank?"],
    ),
    _attribute(
        "amount",
        "ticket income",
        ["With its tickets the {s} earned {v}"],
        ["How much did the {s} earn with its tickets?"],
    ),
)
TAILS = (
    "",
    "",
    "",
    "",
    ", as the clerk noted",
    ", and nobody objected",
    ", so the register says",
    "; this was checked twice",
)

SYSTEM_MESSAGES = (
    "Answer with the fact alone.",
    "You answer questions about documents.",
    "Read the document and answer briefly.",
    "You are a careful clerk. Reply with the value and nothing else.",
)

WORDS = {
    "who": (
        "the clerk|the old gardener|a young teacher|the night porter|the mayor|"
        "a travelling merchant|the librarian|the ferryman|her neighbour|the committee|a visitor|"
        "the carpenter|the postman|an engineer|the baker|the council"
    ),
    "did": (
        "wrote a long letter about|walked slowly around|made a drawing of|complained about|"
        "asked for news of|told a story about|forgot to mention|sent a parcel to|"
        "took careful notes on|closed the door of|waited in front of|read aloud from"
    ),
    "what": (
        "the garden wall|the broken clock|a box of papers|the new road|the winter market|"
        "the stone bridge|the old map|the painted ceiling|a heavy trunk|the railway timetable|"
        "the small harbour|the school choir|the river bank|the town gate"
    ),
    "when": (
        "in the early morning|after the long rain|on a quiet evening|before the first snow|"
        "during the summer fair|late at night|at the end of the week|in spring|"
        "shortly after lunch|when the bells rang|once the fog had lifted|that autumn"
    ),
    "weather": ("cold|warm|grey|windy|bright|wet|calm|foggy|dry|mild"),
    "thing": (
        "lamp|ladder|barrel|notebook|basket|wheel|window|table|candle|rope|bell|kettle|mirror|"
        "carpet|ledger|cart"
    ),
    "colour": ("red|blue|green|yellow|black|white|brown|silver|golden|purple"),
    "mood": ("pleased|tired|surprised|worried|curious|proud|silent|hungry|patient|cheerful"),
    "why": (
        "because the roof was leaking|since nobody had the key|as the accounts were late|"
        "because the train was delayed|for the sake of the children|since the harvest was good|"
        "as was the custom there|because the bridge was closed"
    ),
    "much": (
        "very little|a great deal|almost nothing|more than expected|less than last time|"
        "about the same as before"
    ),
}
WORDS = {slot: tuple(words.split("|")) for slot, words in WORDS.items()}

FILLER = (
    "{who} {did} {what} {when}.",
    "{when}, {who} {did} {what}.",
    "{who} {did} {what} {why}.",
    "It was a {weather} day, and {who} was {mood}.",
    "The {colour} {thing} stood beside {what}, and {who} {did} it {when}.",
    "{who} bought a {colour} {thing} and a {colour} {thing} for {number} euros.",
    "Nobody knew why {who} {did} {what}, but it was done {when}.",
    "The weather stayed {weather} for {small} days, so {who} did {much}.",
    "There were {number} people in front of {what} {when}.",
    "{who} counted {small} {colour} lamps and {number} chairs, then {did} {what}.",
    "A letter from {place} arrived on {date}, and {who} was {mood}.",
    "{person} travelled from {place} to {place} {when}.",
    "{person} was {mood} {why}.",
    "In {year} the river rose by {small} metres, and {who} {did} {what}.",
    "On {date} it was {weather} in {place}, {why}.",
    "{who} said {much} about {what}, {why}.",
    "The report has {number} pages, of which {small} are about {what}.",
    "{when} the {thing} was painted {colour}, {why}.",
    "Between {what} and {what} there was a {colour} {thing}.",
    "{person} and {person} {did} {what} {when}.",
    "{who} found {number} coins in a {thing} and {did} {what}.",
    "Ticket number {code} was never collected, {why}.",
    "The price of a {thing} was {amount} in {year}, {much}.",
    "As usual {who} was {mood}, and the {thing} was {colour}.",
    "Everyone in {place} remembers the {weather} summer of {year}.",
    "The second part describes {what} and the {colour} {thing}.",
    "{who} repaired the {thing} {when}, which cost {much}.",
    "Some say that {who} {did} {what}; others say {much}.",
)


def split_of(name: str) -> str:
    """Which split may use a place or surname: one in five is held out."""
    return "held_out" if zlib.crc32(name.encode()) % 5 == 0 else "train"


@dataclass(frozen=True)
class Turn:
    """One question and its answer."""

    kind: str
    question: str
    answer: str


@dataclass(frozen=True)
class Example:
    """A document, the questions asked about it in one chat, and an optional system message."""

    document: str
    turns: tuple[Turn, ...]
    system: str | None

    def messages(self, answered: int) -> list[dict[str, str]]:
        """The chat up to the question number `answered`, all earlier ones answered."""
        messages = [] if self.system is None else [{"role": "system", "content": self.system}]
        for index, turn in enumerate(self.turns[: answered + 1]):
            content = f"{self.document}\n\n{turn.question}" if index == 0 else turn.question
            messages.append({"role": "user", "content": content})
            if index < answered:
                messages.append({"role": "assistant", "content": turn.answer})
        return messages


class DocumentWriter:
    """Writes documents of a wanted length.

    `count` tells how many tokens a text has. `split` says which names may be used.
    """

    def __init__(self, split: str, count):
        self.split, self.count = split, count
        self.cities = [name for name in CITIES if split_of(name) == split]
        self.surnames = [name for name in SURNAMES if split_of(name) == split]

    def write(self, seed: int, length: int, questions: tuple[int, int] | None = None) -> Example:
        """An example of nearly `length` tokens and no more, chat markers and answers included.

        `questions` bounds the number of turns; without it as many as help training.
        """
        rng = random.Random(seed)
        facts = self._facts(rng, max(3, min(80, round(length / 45 * rng.uniform(0.5, 1.0)))))
        if questions is None:
            questions = (min(3, len(facts)), 6 if length < 400 else 8 + length // 400)
        asked = rng.sample(facts, min(len(facts), rng.randint(*questions)))
        system = None
        if rng.random() < 0.2:
            system = (
                rng.choice(SYSTEM_MESSAGES)
                if rng.random() < 0.7
                else self._sentence(rng, self._filler(rng)).strip()
            )
        prefix = "Question: " if rng.random() < 0.5 else ""
        # Chat markers: bos and two a message; the blank line before the first question; and the
        # first sentence may cost more where it stands at the start.
        used = 8 + (0 if system is None else 2 + self.count(system))
        sentences, turns = [], []
        for statement, turn in asked:
            turn = Turn(turn.kind, prefix + turn.question, turn.answer)
            size = 4 + sum(map(self.count, (statement, turn.question, turn.answer)))
            if turns and used + size > length:
                break
            sentences.append(statement)
            turns.append(turn)
            used += size
        for fact in facts:
            size = self.count(fact[0])
            if fact not in asked and used + size <= length:
                sentences.append(fact[0])
                used += size
        rng.shuffle(sentences)
        filler = []
        while True:
            sentence = self._sentence(rng, self._filler(rng))
            used += self.count(sentence)
            if used > length:
                break
            filler.append(sentence)
        return Example(self._layout(rng, sentences, filler), tuple(turns), system)

    def _layout(self, rng: random.Random, sentences: list[str], filler: list[str]) -> str:
        places = sorted(rng.randint(0, len(filler)) for _ in sentences)
        merged, start = [], 0
        for place, sentence in zip(places, sentences):
            merged += filler[start:place]
            merged.append(sentence)
            start = place
        merged += filler[start:]
        return "".join(merged).lstrip()

    @staticmethod
    def _sentence(rng: random.Random, text: str) -> str:
        """The text behind what parts it from the sentence before."""
        return ("\n\n" if rng.random() < 0.15 else " ") + text[0].upper() + text[1:]

    def _facts(self, rng: random.Random, wanted: int) -> list[tuple[str, Turn]]:
        """Statements with their questions. A place names one subject only, a subject has up to four
        attributes, and no two facts share their value."""
        facts, places, values = [], set(), set()
        while len(facts) < wanted:
            place = self._place(rng)
            if place in places:
                continue
            places.add(place)
            subject = f"{place} {rng.choice(INSTITUTIONS)}"
            for attribute in rng.sample(
                ATTRIBUTES, min(wanted - len(facts), rng.choice((1, 1, 2, 2, 3, 4)))
            ):
                value = self._value(rng, attribute.kind)
                if value in values:
                    continue
                values.add(value)
                statement = (
                    rng.choice(attribute.statements).format(s=subject, v=value)
                    + rng.choice(TAILS)
                    + "."
                )
                question = rng.choice(attribute.questions).format(s=subject)
                facts.append(
                    (self._sentence(rng, statement), Turn(attribute.kind, question, value))
                )
        return facts

    def _filler(self, rng: random.Random) -> str:
        pieces = _pieces(rng.choice(FILLER))
        return "".join(
            self._slot(rng, piece[1:-1]) if piece[0] == "{" else piece for piece in pieces
        )

    def _slot(self, rng: random.Random, slot: str) -> str:
        words = WORDS.get(slot)
        if words is not None:
            return rng.choice(words)
        if slot == "place":
            return self._place(rng)
        if slot == "person":
            return self._value(rng, "name")
        if slot == "year":
            return str(rng.randint(1801, 2024))
        if slot == "small":
            return str(rng.randint(2, 19))
        if slot == "number":
            return str(rng.randint(20, 999))
        return self._value(rng, slot)

    def _place(self, rng: random.Random) -> str:
        return rng.choice(self.cities) if rng.random() < 0.25 else self._coined(rng, PLACE_ENDINGS)

    def _coined(self, rng: random.Random, endings: list[str]) -> str:
        """A name of two or three syllables, the last one often a usual ending: there are millions,
        so that no model can answer from memory."""
        while True:
            start = _syllable(rng) + (
                rng.choice(ONSETS) + rng.choice(VOWELS) if rng.random() < 0.25 else ""
            )
            name = (
                start + (rng.choice(endings) if rng.random() < 0.6 else _syllable(rng))
            ).capitalize()
            if split_of(name) == self.split:
                return name

    def _value(self, rng: random.Random, kind: str) -> str:
        if kind == "code":
            return "".join(rng.choices("0123456789", k=rng.randint(4, 6)))
        if kind == "name":
            surname = (
                rng.choice(self.surnames)
                if rng.random() < 0.25
                else self._coined(rng, SURNAME_ENDINGS)
            )
            return f"{rng.choice(FIRST_NAMES)} {surname}"
        if kind == "date":
            return f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {rng.randint(1801, 2024)}"
        return f"{rng.randint(1, 999)},{rng.randint(0, 999):03d} euros"


def _syllable(rng: random.Random) -> str:
    return rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS)


_PIECES: dict[str, tuple[str, ...]] = {}


def _pieces(template: str) -> tuple[str, ...]:
    """The template cut at its slots, the slots kept with their braces."""
    pieces = _PIECES.get(template)
    if pieces is None:
        pieces = _PIECES[template] = tuple(
            piece for piece in re.split(r"(\{\w+\})", template) if piece
        )
    return pieces
