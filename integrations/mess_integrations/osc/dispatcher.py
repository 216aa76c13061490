"""What each request sets off. Everything here is quick; the work goes to `jobs.LookupJobs`."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Hashable
from importlib.metadata import version

from mess_integrations.osc import replies
from mess_integrations.osc.jobs import LookupJobs
from mess_integrations.osc.lookups import code_of
from mess_integrations.osc.peers import Peer, Ports, Send, Sender, UdpPeer
from mess_integrations.osc.requests import (
    Auth,
    BadRequest,
    Begin,
    Cancel,
    ClientPort,
    Commit,
    Data,
    Excerpt,
    FileLookup,
    Options,
    Ping,
    Request,
    Status,
    Subscribe,
    TrackLookup,
    id_of,
    parse,
    port_of,
)
from mess_integrations.osc.subscriptions import Subscriptions
from mess_integrations.osc.uploads import BLOCK_BYTES, Uploads
from mess_integrations.osc.wire import Message, read_packet
from mess_integrations.rate_limit import ExpiringTable, RateLimit, client_of
from mess_plugin.config import Settings
from mess_plugin.errors import MessError
from mess_plugin.spaces.active_encoder import active_recipe
from mess_plugin.spaces.recipe import Recipe
from mess_plugin.store import Store

_AUTHORISED_S = 12 * 3600.0
# Reading a packet is work, whatever it says: a unit each, and one for each kilobyte. An upload of
# 16 MB in blocks of 1 KB takes 32,000 units.
_WORK_HZ, _WORK_BURST = 8_000, 40_000
_WORK_OF_ALL_HZ, _WORK_OF_ALL_BURST = 12_000, 80_000
_log = logging.getLogger(__name__)


class OscDispatcher:
    """Takes packets from senders. Lives in the event loop."""

    def __init__(
        self, settings: Settings, lookups: LookupJobs, subscriptions: Subscriptions, send: Send
    ) -> None:
        """send: for a UDP packet, with host and port."""
        self._settings = settings
        self._lookups = lookups
        self._subscriptions = subscriptions
        self._send = send
        self._ports = Ports(settings.osc_reply_port)
        self._uploads = Uploads()
        self._authorised: ExpiringTable[Hashable, bool] = ExpiringTable(1024, _AUTHORISED_S)
        self._work = RateLimit(_WORK_HZ, _WORK_BURST)
        self._work_of_all = RateLimit(_WORK_OF_ALL_HZ, _WORK_OF_ALL_BURST)
        self._requests = RateLimit(100, 200)
        self._lookups_allowed = RateLimit(20, 40)
        self._guesses = RateLimit(1, 10)
        self._complaints = RateLimit(10, 20)
        self._version = version("mess-plugin")

    def admits(self, packet: bytes, sender: Sender) -> bool:
        """Whether a packet may be read at all; asked before anything is done with it.

        It costs a unit of work, and another one for each kilobyte, of a bundle for each 256 bytes.
        """
        cost = 1.0 + len(packet) / (256 if packet.startswith(b"#bundle") else 1024)
        client = client_of(sender.host)
        return self._work.admits(client, cost=cost) and self._work_of_all.admits("all", cost=cost)

    def receive(self, packet: bytes, sender: Sender) -> None:
        """Take a packet that is admitted. What is not OSC, or not meant for MESS, gets no answer."""
        try:
            messages = read_packet(packet)
        except ValueError as error:
            _log.debug("from %s: %s", sender.host, error)
            return
        for message in messages:
            is_ours = message.address.startswith("/mess/")
            # Our own answers, thrown back, must not be answered: two servers would never stop.
            if is_ours and message.address not in replies.ADDRESSES:
                self._take(message, sender)

    def closed(self, peer: Peer) -> None:
        """A connection ended."""
        self._authorised.drop(peer.key)
        self._subscriptions.unsubscribe(peer)
        self._lookups.cancel_all_of(peer.key)
        self._uploads.drop_all_of(peer.key)

    def _take(self, message: Message, sender: Sender) -> None:
        is_data = message.address == "/mess/lookup/data"
        if not is_data and not self._requests.admits(client_of(sender.host)):
            self._complain(message, sender, BadRequest(429, "too many requests: slow down"))
            return
        try:
            request, options = parse(message)
            self._check_authorised(request, options, sender)
            self._handle(request, options, sender, message.address)
        except MessError as error:
            self._complain(message, sender, error)

    def _complain(self, message: Message, sender: Sender, error: MessError) -> None:
        """Say what was wrong, unless this address has been told too often."""
        if self._complaints.admits(client_of(sender.host)):
            packet = replies.error(id_of(message), message.address, code_of(error), str(error))
            self._peer(sender, port_of(message)).send(packet)

    def _peer(self, sender: Sender, port: int) -> Peer:
        if sender.connection is not None:
            return sender.connection
        return UdpPeer(sender.host, self._ports.of(sender, port), self._send)

    def _check_authorised(self, request: Request, options: Options, sender: Sender) -> None:
        secret = self._settings.osc_secret
        if not secret or isinstance(request, Ping) or self._authorised.get(sender.key):
            return
        given = request.secret if isinstance(request, Auth) else options.auth
        if given is None:
            raise BadRequest(401, "send /mess/auth, or the key auth, with the secret first")
        if not self._guesses.admits(client_of(sender.host)):
            raise BadRequest(429, "too many secrets were tried: wait a second")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            raise BadRequest(401, "this is not the secret")
        self._guesses.forgive(client_of(sender.host))
        if isinstance(request, Auth):
            self._authorised.put(sender.key, True)

    def _handle(self, request: Request, options: Options, sender: Sender, address: str) -> None:
        peer = self._peer(sender, options.port)
        match request:
            case Ping():
                peer.send(replies.pong(self._version))
            case Auth():
                peer.send(replies.auth_ok())
            case ClientPort(port):
                self._ports.note(sender, port)
                self._peer(sender, 0).send(replies.client_ok(port))
            case FileLookup() | TrackLookup() | Excerpt():
                self._allow_lookup(sender)
                self._start(request, options, sender, peer, address)
            case Begin() | Data() | Commit():
                self._upload(request, options, sender, peer)
            case Cancel(id_):
                self._cancel(peer, id_)
            case Status():
                self._lookups.tell(peer, self._library, address, client_of(sender.host))
            case Subscribe(on):
                if on:
                    self._subscriptions.subscribe(peer, client_of(sender.host))
                else:
                    self._subscriptions.unsubscribe(peer)
                peer.send(replies.subscribed(on))

    def _start(
        self,
        request: FileLookup | TrackLookup | Excerpt,
        options: Options,
        sender: Sender,
        peer: Peer,
        address: str,
    ) -> None:
        client = client_of(sender.host)
        if isinstance(request, Excerpt):
            self._lookups.write_excerpt(peer, request, address, client)
        else:
            self._lookups.start(peer, request.id, request, options, address, client)

    def _allow_lookup(self, sender: Sender) -> None:
        if not self._lookups_allowed.admits(client_of(sender.host)):
            raise BadRequest(429, "too many lookups: slow down")

    def _upload(
        self, request: Begin | Data | Commit, options: Options, sender: Sender, peer: Peer
    ) -> None:
        key = (peer.key, request.id)
        match request:
            case Begin():
                self._uploads.begin(key, request, client_of(sender.host))
                peer.send(replies.ready(request.id, BLOCK_BYTES))
            case Data():
                self._uploads.add(key, request)
            case Commit():
                self._allow_lookup(sender)
                upload = self._uploads.commit(key, request)
                client = client_of(sender.host)
                self._lookups.start(
                    peer, request.id, upload, options, "/mess/lookup/commit", client
                )

    def _cancel(self, peer: Peer, id_: str) -> None:
        key = (peer.key, id_)
        had_upload = self._uploads.drop(key)
        if not self._lookups.cancel(key) and not had_upload:
            raise BadRequest(404, f"no lookup {id_!r} of yours is under way")
        peer.send(replies.cancelled(id_))

    def _library(self, store: Store) -> bytes:
        n_tracks, n_files, hours = store.library.count()
        encoder = Recipe.parse(active_recipe(store, self._settings)).encoder
        return replies.library(n_tracks, n_files, hours, encoder, *self._lookups.counts)
