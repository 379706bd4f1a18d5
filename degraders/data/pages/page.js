  const $ = (id) => document.getElementById(id);
  const chips = [...document.querySelectorAll(".chip")];
  const families = new Set();

  // Connects the controls of a page with its filter. `apply` shows the matching articles; the state of the controls is
  // kept in the address. The button "Reset" clears families and texts, and then calls `reset`.
  function filter(texts, switches, apply, reset = () => {}) {
    function show() {
      apply();
      for (const chip of chips) {
        chip.setAttribute("aria-pressed", chip.dataset.family ? families.has(chip.dataset.family) : !families.size);
      }
    }

    function save() {
      const state = new URLSearchParams();
      if (families.size) state.set("family", [...families].join(","));
      for (const name in texts) if (texts[name].value) state.set(name, texts[name].value);
      for (const name in switches) if (switches[name].checked) state.set(name, "on");
      const hash = "#" + state.toString().replaceAll("%2C", ",");
      try { history.replaceState(null, "", hash); } catch { location.hash = hash; }
    }

    function load() {
      const state = new URLSearchParams(location.hash.slice(1));
      const names = new Set(chips.map((chip) => chip.dataset.family));
      families.clear();
      for (const name of (state.get("family") || "").split(",")) if (name && names.has(name)) families.add(name);
      for (const name in texts) {
        texts[name].value = state.get(name) || "";
        if (texts[name].selectedIndex === -1) texts[name].value = "";
      }
      for (const name in switches) switches[name].checked = state.has(name);
      show();
    }

    function change() { show(); save(); }

    for (const chip of chips) chip.addEventListener("click", () => {
      const name = chip.dataset.family;
      if (!name) families.clear();
      else if (!families.delete(name)) families.add(name);
      change();
    });
    let timer = 0;
    for (const control of [...Object.values(texts), ...Object.values(switches)]) {
      if (control.type === "search") control.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(change, 120); });
      else control.addEventListener("change", change);
    }
    $("reset").addEventListener("click", () => {
      families.clear();
      for (const name in texts) texts[name].value = "";
      reset();
      change();
    });
    addEventListener("hashchange", load);
    load();
  }
