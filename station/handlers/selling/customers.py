"""Customers: who buys electricity; the list, one with the accounts, and the form."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from station.errors import Conflict, InvalidValue, StationError
from station.handlers.access.identity import requires
from station.handlers.access.people import Permission
from station.handlers.base import Handler, ListQuery
from station.handlers.contract import contract
from station.handlers.download import Column
from station.handlers.marking import N_
from station.handlers.selling.account_views import ACCOUNT_WORDS, AccountView, account_view
from station.store.objects.customers import Customer
from station.units import utc_now

NUMBER_SIZE = 12  # Digits on the card and in the meter.


def padded_number(text: str) -> str:
    """Return a number as the card holds it, zeros at the left. Raises ValueError."""
    if not (text.isascii() and text.isdecimal()) or len(text) > NUMBER_SIZE or not int(text):
        raise ValueError(f"{text} is not up to 12 digits")
    return text.zfill(NUMBER_SIZE)


Number = Annotated[str, Field(min_length=1, max_length=20), AfterValidator(padded_number)]


class CustomerChange(BaseModel):
    """What may change of a customer."""

    name: str = Field(min_length=1, max_length=64)
    phone: str = Field("", max_length=32)
    address: str = Field("", max_length=200)
    note: str = Field("", max_length=200)


class CustomerBody(CustomerChange):
    """What is entered of a customer."""

    number: Number


class CustomerView(BaseModel):
    """A customer."""

    number: str
    name: str
    phone: str
    address: str
    note: str
    created_at: datetime
    created_by: str


class CustomerRow(CustomerView):
    """A customer in a list, with the meters of the accounts."""

    meters: list[str]


class CustomerList(BaseModel):
    items: list[CustomerRow]
    total: int


class CustomerPage(CustomerView):
    """A customer with all accounts."""

    accounts: list[AccountView]


COLUMNS = (
    Column[CustomerRow](
        N_("Customer number"), lambda customer: customer.number, sort="number", look="address"
    ),
    Column[CustomerRow](N_("Name"), lambda customer: customer.name, sort="name"),
    Column[CustomerRow](N_("Phone"), lambda customer: customer.phone, look="nowrap"),
    Column[CustomerRow](
        N_("Postal address"), lambda customer: customer.address, look="only-wide small"
    ),
    Column[CustomerRow](N_("Note"), lambda customer: customer.note, more=True),
    Column[CustomerRow](
        N_("Meters"), lambda customer: " ".join(customer.meters), look="address small"
    ),
    Column[CustomerRow](N_("Entered"), lambda customer: customer.created_at, more=True),
)


class CustomerHandler(Handler):
    """What the handlers of customers share."""

    async def page_of(self, customer: Customer) -> CustomerPage:
        """Return a customer with the accounts that the person deals with."""
        accounts = await self.parts.database.accounts.of_customers([customer.number])
        own = await self.meters_in_sight()
        return CustomerPage(
            **_values(customer),
            accounts=[
                account_view(account, customer)
                for account in accounts
                if own is None or account.meter in own
            ],
        )

    def refuse(self, error: StationError, customer: Customer | None) -> None:
        """Show the form again with what was typed."""
        self.refuse_form("customer_form.html", error, customer=customer)


class CustomersHandler(CustomerHandler):
    """/customers, /api/customers"""

    @requires(Permission.VIEW)
    @contract(CustomerList, query=ListQuery, table=COLUMNS)
    async def get(self) -> None:
        query = self.parse_query(ListQuery)
        skip, limit = self.span(query)
        database = self.parts.database
        own = await self.meters_in_sight()
        customers, total = await database.customers.list(
            query.text,
            skip=skip,
            limit=limit,
            sort=query.sort,
            numbers=await self.customers_in_sight(),
        )
        accounts = await database.accounts.of_customers([each.number for each in customers])
        rows = [
            CustomerRow(
                **_values(customer),
                meters=[
                    account.meter
                    for account in accounts
                    if account.is_living
                    and customer.number in (account.owner or account.customer)
                    and (own is None or account.meter in own)
                ],
            )
            for customer in customers
        ]
        view = CustomerList(items=rows, total=total)
        await self.show_list("customers.html", view, rows, COLUMNS, filter=query)

    @requires(Permission.SELL)
    @contract(CustomerPage, body=CustomerBody, status=201)
    async def post(self) -> None:
        try:
            body = self.parse_body(CustomerBody)
            assert self.user is not None, "a permission needs a person"
            customer = Customer(
                **body.model_dump(), created_at=utc_now(), created_by=self.user.name
            )
            await self.parts.database.customers.add(customer)
        except (InvalidValue, Conflict) as error:
            self.refuse(error, None)
            return
        self.record(after=customer)
        notice = self.language.say("Customer %(name)s is saved.", name=customer.name)
        location = f"/customers/{customer.number}"
        self.done(await self.page_of(customer), location, notice, status=201)


class NewCustomerHandler(CustomerHandler):
    """/customers/new"""

    @requires(Permission.SELL)
    @contract(None)
    async def get(self) -> None:
        typed = CustomerBody.model_construct(number="", name="").model_dump()
        self.finish_page("customer_form.html", typed=typed, customer=None)


class OneCustomerHandler(CustomerHandler):
    """/customers/NUMBER, /api/customers/NUMBER"""

    @requires(Permission.VIEW)
    @contract(CustomerPage)
    async def get(self, number: str) -> None:
        customer = await self.parts.database.customers.get(number)
        self.show("customer.html", await self.page_of(customer), **ACCOUNT_WORDS)

    @requires(Permission.SELL)
    @contract(CustomerPage, body=CustomerChange)
    async def post(self, number: str) -> None:
        await self.put(number)

    @requires(Permission.SELL)
    @contract(CustomerPage, body=CustomerChange)
    async def put(self, number: str) -> None:
        before = await self.parts.database.customers.get(number)
        try:
            customer = replace(before, **self.parse_body(CustomerChange).model_dump())
        except InvalidValue as error:
            self.refuse(error, before)
            return
        await self.parts.database.customers.save(customer)
        self.record(before=before, after=customer)
        notice = self.language.say("Customer %(name)s is saved.", name=customer.name)
        self.done(await self.page_of(customer), f"/customers/{number}", notice)


class EditCustomerHandler(CustomerHandler):
    """/customers/NUMBER/edit"""

    @requires(Permission.SELL)
    @contract(None)
    async def get(self, number: str) -> None:
        customer = await self.parts.database.customers.get(number)
        self.finish_page("customer_form.html", typed=_values(customer), customer=customer)


def _values(customer: Customer) -> dict[str, object]:
    return {name: getattr(customer, name) for name in CustomerView.model_fields}
