"""Clause types of commercial contracts: what a reviewer calls them, and the words that contracts use for them.

A clause seldom bears the name of its type: a right of first refusal is granted without the letters "ROFR", and a cap on
liability begins "in no event". A search for the name alone misses it, by words and by meaning. `as_query` adds the
usual wording, which a lawyer who looks for the clause by hand has in mind.

The wordings are common contract language, written for this project. Not covered: languages other than English, and
types that are not listed, which are searched for by their name alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["WORDINGS", "as_query"]

_GAP: Final = re.compile(r"[\W_]+")

WORDINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "document name": "agreement dated as of, this agreement is made and entered into",
        "parties": "this agreement is made and entered into by and between, a corporation organized under the laws of, "
        "with its principal place of business at, hereinafter referred to as, each a party and together the parties",
        "agreement date": "this agreement is made and entered into as of the date, dated as of, executed this day of",
        "effective date": "effective date of this agreement, shall become effective as of, commencement date, entered "
        "into as of",
        "expiration date": "initial term of this agreement begins on the effective date and shall continue in full "
        "force until, expire, unless earlier terminated, period of years",
        "renewal term": "shall automatically renew for successive additional renewal periods of one year, extend the "
        "term, option to renew",
        "notice period to terminate renewal": "unless either party gives written notice of its intention not to renew "
        "at least days prior to the expiration of the then current term",
        "governing law": "shall be governed by, construed and interpreted in accordance with the laws of the state, "
        "without regard to conflict of laws principles",
        "most favored nation": "most favored customer, no less favorable than the prices or terms offered to any third "
        "party, if better terms are granted to another, lower price shall be extended",
        "competitive restriction exception": "notwithstanding the foregoing exclusivity or non-competition, nothing "
        "shall prevent or restrict, except that may, provided however, other than, exception to the restriction on "
        "competing",
        "non compete": "shall not directly or indirectly compete, engage in any competing business, sell or market "
        "competitive products in the territory during the term",
        "exclusivity": "exclusive right, exclusively, sole and exclusive distributor in the territory, shall not "
        "purchase from or appoint any other person, exclusive dealing",
        "no solicit of customers": "shall not solicit, divert or contract with customers or clients of the other party",
        "no solicit of employees": "shall not solicit, recruit, hire or employ any employee of the other party during "
        "the term and after termination",
        "non disparagement": "shall not disparage, make derogatory or negative statements, damage or harm the "
        "reputation or goodwill, bring into disrepute",
        "termination for convenience": "may terminate this agreement at any time without cause, for any reason or no "
        "reason, upon days prior written notice",
        "rofr rofo rofn": "right of first refusal, right of first offer, right of first negotiation, first option to "
        "purchase or license, match the terms of a third party offer, negotiate in good faith",
        "change of control": "change of control, merger, consolidation, sale of all or substantially all of the assets "
        "or stock, acquisition by a third party, may terminate upon",
        "anti assignment": "may not assign or transfer this agreement or its rights or obligations without the prior "
        "written consent of the other party, assignment shall be void",
        "revenue profit sharing": "share of revenue, percentage of net sales or profits, royalty, commission payable, "
        "revenue share",
        "price restrictions": "price shall not increase by more than percent, fixed price, maximum price increase, "
        "restriction on raising or lowering prices",
        "minimum commitment": "minimum purchase, minimum order quantity, minimum annual amount, guaranteed minimum "
        "payment, shall purchase at least",
        "volume restriction": "maximum number, not exceed the quantity, additional fee in excess of the limit, up to "
        "units per month, usage cap, excess",
        "ip ownership assignment": "hereby assigns all right, title and interest in intellectual property, work made "
        "for hire, inventions shall be owned by and be the sole property of",
        "joint ip ownership": "jointly owned intellectual property, joint ownership, each party shall own an equal "
        "undivided interest in inventions developed jointly",
        "license grant": "hereby grants to licensee a non-exclusive, limited license to use, reproduce and distribute",
        "non transferable license": "non-transferable, non-assignable license without right to sublicense, shall not "
        "transfer the license",
        "affiliate license licensor": "licensor and its affiliates grant a license to intellectual property owned or "
        "controlled by affiliates of the licensor",
        "affiliate license licensee": "license granted to licensee and its affiliates, subsidiaries, right to "
        "sublicense to affiliates",
        "unlimited all you can eat license": "unlimited, enterprise-wide license, without limitation on number of "
        "users, copies or usage",
        "irrevocable or perpetual license": "perpetual, irrevocable, royalty-free license that survives termination",
        "source code escrow": "source code deposited with an escrow agent, escrow agreement, release of source code "
        "upon bankruptcy or insolvency",
        "post termination services": "upon termination or expiration, obligations after termination, wind-down, sell "
        "off remaining inventory, transition assistance, return or destroy, for a period following termination",
        "audit rights": "right to audit, inspect and examine books and records during normal business hours, keep "
        "accurate records, independent accountant",
        "uncapped liability": "limitation of liability shall not apply to breach of confidentiality, indemnification, "
        "gross negligence or willful misconduct, unlimited liability",
        "cap on liability": "in no event shall liability exceed the total amount paid, neither party liable for "
        "indirect, incidental, special, punitive or consequential damages, maximum aggregate liability",
        "liquidated damages": "liquidated damages and not a penalty, termination fee, early termination payment, pay a "
        "fixed sum upon breach",
        "warranty duration": "warrants for a period of months or years from delivery, warranty period, products free "
        "from defects in materials and workmanship",
        "insurance": "shall maintain insurance, commercial general liability policy, coverage limits per occurrence, "
        "certificate of insurance, additional insured",
        "covenant not to sue": "shall not contest, challenge or attack the validity or ownership of intellectual "
        "property or trademarks, agrees not to sue or bring any claim, releases, acknowledges ownership",
        "third party beneficiary": "third party beneficiary, intended beneficiaries entitled to enforce this "
        "agreement, no rights conferred on any person other than the parties",
    }
)
"""The usual wording of each type, by its name in lower case with single spaces for all that is not a letter."""


def as_query(clause_type: str) -> str:
    """Return what to search for: the name of the type and its usual wording, or the name alone where none is known."""
    name = " ".join(clause_type.split())
    wording = WORDINGS.get(_GAP.sub(" ", name.lower()).strip())
    return f"{name}: {wording}" if wording else name
