"""Remembering what has been drawn: a tag for rows that are shown again and again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

from django import template
from django.conf import settings
from django.utils.safestring import SafeString

from common import formats

register = template.Library()


class Memory:
    """Markup by what it was made from, the longest unused forgotten first."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lock = threading.Lock()
        self.made: OrderedDict[Hashable, SafeString] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], SafeString]) -> SafeString:
        with self.lock:
            if key in self.made:
                self.made.move_to_end(key)
                return self.made[key]
        made = make()
        with self.lock:
            self.made[key] = made
            if len(self.made) > self.size:
                self.made.popitem(last=False)
        return made


class RememberedNode(template.Node):
    memory = Memory(2048)

    def __init__(self, parts: Sequence[template.base.FilterExpression], body: template.NodeList) -> None:
        self.parts, self.body = parts, body
        self.own = object()

    def render(self, context: template.Context) -> SafeString:
        if settings.DEBUG:  # the template may change meanwhile
            return self.body.render(context)
        key = (self.own, formats.here(), *(part.resolve(context) for part in self.parts))
        return self.memory.get(key, lambda: self.body.render(context))


@register.tag
def remembered(parser: template.base.Parser, token: template.base.Token) -> RememberedNode:
    """``{% remembered row.key start end %}…{% endremembered %}``: a body that is the same whenever these are.

    For rows of a list that is looked at often. Whatever the body reads, beside the language, the region, the time zone
    and the year, has to be in one of the keys.
    """
    parts = [parser.compile_filter(word) for word in token.split_contents()[1:]]
    body = parser.parse(("endremembered",))
    parser.delete_first_token()
    return RememberedNode(parts, body)
