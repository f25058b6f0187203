import fnmatch

from tests.stripe_server.world import PAGE, Call, Thing, answers


@answers("event.retrieve")
def retrieve(call: Call) -> Thing:
    return call.get("event")


@answers("event.list", PAGE + "created type types delivery_success")
def list_(call: Call) -> Thing:
    things = call.world.all("event", call.account)
    wanted = call.params.get("types") or [call.params.get("type", "*")]
    things = [thing for thing in things if any(fnmatch.fnmatch(thing["type"], kind) for kind in wanted)]
    return call.page(things, url="/v1/events")
