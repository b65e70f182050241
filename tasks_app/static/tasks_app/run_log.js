// Follows the output of a run while it runs, and loads the page anew when its status has changed.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const log = document.getElementById("run-log");
    if (!log) {
        return;
    }
    log.scrollTop = log.scrollHeight;
    if (!log.dataset.stream) {
        return;
    }

    const LOOK_MS = 2000;
    const MOST_CHARACTERS = 400000;
    const state = document.getElementById("run-log-state");
    let attempt = Number(log.dataset.attempt);

    function append(piece) {
        const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
        if (piece.attempt !== attempt && (attempt || piece.attempt > 1)) {
            log.append(`${log.textContent ? "\n" : ""}── attempt ${piece.attempt} ──\n`);
        }
        attempt = piece.attempt;
        log.append(piece.text);  // a text node: never read as HTML
        log.hidden = false;
        while (log.textContent.length > MOST_CHARACTERS && log.childNodes.length > 1) {
            log.firstChild.remove();
        }
        if (atEnd) {
            log.scrollTop = log.scrollHeight;
        }
    }

    const stream = new EventSource(log.dataset.stream);
    stream.addEventListener("open", () => {
        state.textContent = "Following the output …";
    });
    stream.addEventListener("log", (event) => append(JSON.parse(event.data)));
    stream.addEventListener("end", () => {
        stream.close();
        window.location.reload();
    });
    stream.addEventListener("error", () => {
        const ended = stream.readyState === EventSource.CLOSED;
        state.textContent = ended ? "The output cannot be followed. Load the page again." : "Connecting again …";
    });

    // The stream tells of output only: waiting → assigned → running is asked for.
    window.setInterval(async () => {
        if (document.hidden || document.querySelector("#modal-content #dialog")?.offsetParent) {
            return;
        }
        const answer = await fetch(log.dataset.run).catch(() => null);
        if (answer?.ok && (await answer.json()).status !== log.dataset.status) {
            window.location.reload();
        }
    }, LOOK_MS);
});
