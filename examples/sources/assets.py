"""Property, plant and equipment of the annual report by class, and the register of ships and sites behind two of them.

Amounts are in thousands of pounds. The classes must add up to the totals of `figures`, and the register to its classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sources.figures import Accounts, Year, require_equal

__all__ = ["CLASSES", "MORTGAGED", "Asset", "Movement", "movements", "register"]

CLASSES: Final = ("Land and buildings", "Vessels", "Plant and equipment", "Under construction")

MORTGAGED: Final = (
    "MV Averley Dusk",
    "MV Elder Sound",
    "MV Fennar Strait",
    "MV Hollin Bay",
    "MV Isla Venn",
    "MV Kestle Point",
    "MV Lorn Passage",
    "MV Marram Isle",
)
"""The ships that secure the loans, here and in the credit agreement."""

_Four = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Movement:
    """One year of cost and depreciation, a figure a class."""

    cost_opening: _Four
    additions: _Four
    transfers: _Four
    cost_disposed: _Four
    depreciation_opening: _Four
    charge: _Four
    depreciation_disposed: _Four

    @property
    def cost_closing(self) -> _Four:
        """Cost at the year's end."""
        a, b, c, d = (
            opening + added + moved - sold
            for opening, added, moved, sold in zip(
                self.cost_opening, self.additions, self.transfers, self.cost_disposed, strict=True
            )
        )
        return a, b, c, d

    @property
    def depreciation_closing(self) -> _Four:
        """Accumulated depreciation at the year's end."""
        a, b, c, d = (
            opening + charged - sold
            for opening, charged, sold in zip(
                self.depreciation_opening, self.charge, self.depreciation_disposed, strict=True
            )
        )
        return a, b, c, d

    @property
    def carrying(self) -> _Four:
        """Cost less accumulated depreciation at the year's end."""
        a, b, c, d = (
            cost - written for cost, written in zip(self.cost_closing, self.depreciation_closing, strict=True)
        )
        return a, b, c, d


@dataclass(frozen=True, slots=True)
class Asset:
    """A ship or a site, with what it stands at in the accounts."""

    name: str
    description: str
    held: str
    since: int
    carrying: int


def movements(accounts: Accounts) -> tuple[Movement, Movement]:
    """Return the movements of the year and of the year before.

    Raises:
        DoesNotTie: the classes do not add up to the balance sheet or to the cash flow statement.
    """
    last = Movement(
        cost_opening=(142_300, 218_650, 96_480, 14_220),
        additions=(4_180, 9_640, 7_385, 16_905),
        transfers=(6_400, 5_200, 2_150, -13_750),
        cost_disposed=(1_240, 4_860, 3_910, 0),
        depreciation_opening=(38_940, 86_215, 51_370, 0),
        charge=(4_265, 11_820, 6_940, 0),
        depreciation_disposed=(905, 3_740, 3_515, 0),
    )
    this = Movement(
        cost_opening=last.cost_closing,
        additions=(5_320, 12_480, 9_115, 19_905),
        transfers=(8_900, 6_300, 3_050, -18_250),
        cost_disposed=(860, 6_940, 4_120, 0),
        depreciation_opening=last.depreciation_closing,
        charge=(4_480, 12_390, 7_440, 0),
        depreciation_disposed=(640, 5_595, 3_695, 0),
    )
    for year, movement in ((accounts.last, last), (accounts.this, this)):
        _require_ties(year, movement)
    return this, last


def _require_ties(year: Year, movement: Movement) -> None:
    disposed = sum(movement.cost_disposed) - sum(movement.depreciation_disposed)
    require_equal(f"carrying amount {year.name}", sum(movement.carrying), year.closing.plant)
    require_equal(f"additions {year.name}", sum(movement.additions), year.flows.capital_expenditure)
    require_equal(f"depreciation {year.name}", sum(movement.charge), year.flows.depreciation)
    require_equal(f"disposals {year.name}", disposed, year.flows.disposed_value)
    require_equal(f"transfers {year.name}", sum(movement.transfers), 0)


_SHIPS: Final = (
    Asset("MV Averley Dawn", "Container feeder, 1,118 TEU", "Owned", 2012, 7_940),
    Asset("MV Averley Dusk", "Container feeder, 1,118 TEU", "Owned", 2012, 8_015),
    Asset("MV Brannock Light", "Container feeder, 868 TEU", "Owned", 2009, 4_620),
    Asset("MV Calder Reach", "General cargo, 5,200 dwt", "Owned", 2011, 3_875),
    Asset("MV Corran Bell", "General cargo, 5,200 dwt", "Owned", 2013, 4_410),
    Asset("MV Dunnet Wave", "General cargo, 6,850 dwt", "Owned", 2015, 6_730),
    Asset("MV Elder Sound", "Ro-ro, 1,640 lane metres", "Owned", 2014, 12_560),
    Asset("MV Fennar Strait", "Ro-ro, 1,640 lane metres", "Owned", 2016, 14_285),
    Asset("MV Garrow Head", "Bulk carrier, 9,100 dwt", "Owned", 2010, 5_190),
    Asset("MV Hollin Bay", "Bulk carrier, 9,100 dwt", "Owned", 2017, 9_845),
    Asset("MV Isla Venn", "Container feeder, 1,350 TEU", "Owned", 2018, 13_920),
    Asset("MV Kestle Point", "Container feeder, 1,350 TEU", "Owned", 2019, 14_705),
    Asset("MV Lorn Passage", "General cargo, 7,400 dwt", "Owned", 2020, 10_380),
    Asset("MV Marram Isle", "Reefer, 480,000 cubic feet", "Owned", 2021, 12_115),
)
"""Tugs and workboats make up the rest of the class."""

_SITES: Final = (
    Asset("Port Averley, East Quay", "Container terminal, 14.2 hectares", "Freehold", 1998, 16_450),
    Asset("Port Averley, Saltmarsh Quay", "Head office and workshops", "Freehold", 2001, 6_215),
    Asset("Brannock Haven", "Multi-purpose terminal", "Freehold", 2004, 11_870),
    Asset("Brannock Haven, North Mole", "Bulk berth and silos", "Freehold", 2008, 7_340),
    Asset("Calderfoot", "Ro-ro terminal", "Freehold", 2010, 9_925),
    Asset("Dunnetby", "General cargo berth", "Freehold", 2006, 4_180),
    Asset("Elderness", "Ro-ro terminal and trailer park", "Freehold", 2013, 8_655),
    Asset("Fennarport", "Container depot", "Freehold", 2011, 3_490),
    Asset("Garrowmouth", "Bulk terminal", "Freehold", 2009, 5_760),
    Asset("Hollinstow", "Cold store, 38,000 pallets", "Freehold", 2016, 10_905),
    Asset("Islewater", "Cold store, 24,000 pallets", "Freehold", 2018, 7_880),
    Asset("Kestleby", "Cold store, 31,000 pallets", "Freehold", 2021, 10_140),
    Asset("Lornhaven", "Cold store under extension, 12,000 pallets", "Freehold", 2019, 4_635),
    Asset("Marramthorpe", "Distribution centre", "Freehold", 2014, 3_275),
    Asset("Nethersea", "Distribution centre", "Freehold", 2015, 2_960),
    Asset("Ostrel Bridge", "Rail freight yard", "Freehold", 2017, 2_415),
)
"""Smaller depots and land held for use make up the rest of the class."""


def register(accounts: Accounts) -> tuple[Asset, ...]:
    """Return ships and sites with a last line for each class, so that the whole ties to the two classes.

    Raises:
        DoesNotTie: the lines named come to more than their class.
    """
    buildings, vessels, _, _ = movements(accounts)[0].carrying
    rest_ships = vessels - sum(asset.carrying for asset in _SHIPS)
    rest_sites = buildings - sum(asset.carrying for asset in _SITES)
    require_equal("register exceeds its class", min(rest_ships, rest_sites, 0), 0)
    return (
        *_SHIPS,
        Asset("Eleven tugs and workboats", "Harbour craft at four ports", "Owned", 2007, rest_ships),
        *_SITES,
        Asset("Nine smaller depots", "Depots, yards and land held for use", "Freehold", 2003, rest_sites),
    )
