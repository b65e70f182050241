// Shows what the schedule in the form means, while one types.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
    const preview = document.getElementById("schedule-preview");
    const form = preview?.closest("form");
    if (!form) {
        return;
    }
    const WAIT_MS = 250;
    let timer = 0;
    let asked = 0;

    async function ask() {
        const mine = ++asked;
        const answer = await fetch(preview.dataset.address, { method: "POST", body: new FormData(form) }).catch(() => null);
        if (mine !== asked) {
            return;  // another question has been asked meanwhile
        }
        if (answer?.ok && !answer.redirected) {
            preview.innerHTML = await answer.text();  // made and escaped by the server
        } else {
            preview.textContent = "The preview is not to be had now.";
        }
    }

    function soon() {
        window.clearTimeout(timer);
        timer = window.setTimeout(ask, WAIT_MS);
    }

    form.addEventListener("input", soon);
    form.addEventListener("change", soon);
    window.jQuery?.(form).on("select2:select", soon);
});
