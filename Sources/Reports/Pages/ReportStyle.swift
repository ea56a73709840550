/// The look of the page: CSS.
///
/// Colors that carry meaning (blue, orange, purple for differences) are those of Okabe and Ito,
/// which the color-blind can tell apart, and never stand alone: lines, hatching or words go with
/// them. Source: <https://jfly.uni-koeln.de/color/>.
let reportStyle = #"""
    :root {
      color-scheme: light dark;
      --page: #fdfdfb; --ink: #1d1f21; --quiet: #62676d; --rule: #e2e2dd; --soft: #f3f3ef;
      --accent: #0b5f96; --box: #d5e4ef; --box-edge: #5c8fb3; --dot: #0b5f9680;
      --warn: #9a4a00; --warn-soft: #fbeedd; --good: #00674a;
    }
    @media screen and (prefers-color-scheme: dark) {
      :root {
        --page: #15171a; --ink: #e6e6e3; --quiet: #9aa0a7; --rule: #2d3136; --soft: #1d2024;
        --accent: #78b7e4; --box: #203a4e; --box-edge: #5f9bc6; --dot: #8cc6efa0;
        --warn: #f0ad60; --warn-soft: #38291a; --good: #5cc7a2;
      }
    }
    * { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; }
    body {
      margin: 0; background: var(--page); color: var(--ink);
      font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
      font-variant-numeric: tabular-nums;
    }
    main { max-width: 1120px; margin: 0 auto; padding: 48px 32px 96px; }
    h1 {
      font-size: 30px; line-height: 1.2; font-weight: 600; letter-spacing: -0.015em;
      margin: 0; overflow-wrap: anywhere;
    }
    h2 { font-size: 19px; font-weight: 600; letter-spacing: -0.005em; margin: 0; }
    .lead { margin: 8px 0 0; color: var(--quiet); max-width: 70ch; }
    .quiet { color: var(--quiet); }
    p.quiet { font-size: 13px; margin: 8px 0 0; max-width: 90ch; }
    section { margin-top: 56px; }
    small { font-size: 0.85em; font-weight: 400; color: var(--quiet); }

    .tiles {
      display: grid; grid-template-columns: repeat(auto-fit, minmax(168px, 1fr)); gap: 28px 32px;
      margin-top: 36px; padding: 22px 0; border: solid var(--rule); border-width: 1px 0;
    }
    .tile h2 { font-size: 13px; font-weight: 500; color: var(--quiet); letter-spacing: 0; }
    .tile .figure {
      margin: 0; font-size: 38px; line-height: 1.25; font-weight: 300; letter-spacing: -0.02em;
    }
    .tile .figure small { font-size: 18px; letter-spacing: 0; }
    .tile p.quiet { margin: 0; }

    .bar {
      display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between;
      gap: 10px 24px; margin-bottom: 14px;
    }
    .controls { display: flex; flex-wrap: wrap; gap: 8px 20px; font-size: 13px; }
    .controls label { display: flex; align-items: center; gap: 8px; color: var(--quiet); }
    select, input[type=search], button.plain {
      font: inherit; color: var(--ink); background: var(--page); border: 1px solid var(--rule);
      border-radius: 6px; padding: 4px 8px; max-width: 16em;
    }
    button { font: inherit; color: inherit; cursor: pointer; }
    button.plain:hover { background: var(--soft); }
    :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

    .swatch {
      display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 8px;
      box-shadow: inset 0 0 0 1px #0006; vertical-align: -1px; flex: none;
    }
    .plots { margin: 0; }
    .row {
      display: grid; grid-template-columns: 230px minmax(120px, 1fr) 200px; gap: 28px;
      align-items: center; min-height: 28px; font-size: 13px; line-height: 1.35;
    }
    .row .name { overflow-wrap: anywhere; }
    .row .mean { white-space: nowrap; }
    .row:not(.axis):hover { background: var(--soft); }
    .row b { font-weight: 600; }
    .axis { border-bottom: 1px solid var(--rule); color: var(--quiet); margin-bottom: 4px; }
    .axis .name { color: var(--ink); }
    .ticks { position: relative; height: 20px; }
    .ticks span { position: absolute; transform: translateX(-50%); }
    .strip svg { display: block; width: 100%; height: 28px; overflow: visible; }
    .strip path { vector-effect: non-scaling-stroke; fill: none; }
    .strip .grid { stroke: var(--rule); stroke-width: 1; }
    .strip .whisker { stroke: var(--box-edge); stroke-width: 1.25; }
    .strip .box { fill: var(--box); stroke: var(--box-edge); stroke-width: 1; }
    .strip .dots { stroke: var(--dot); stroke-width: 5; stroke-linecap: round; }
    .strip .many { stroke-width: 3; opacity: 0.7; }
    .strip .beyond { stroke: var(--ink); stroke-width: 1.25; }
    .strip .median { stroke: var(--ink); stroke-width: 2; }
    .strip .interval { stroke: var(--ink); stroke-width: 2; stroke-linecap: round; }
    .strip.picks { cursor: pointer; }
    .strip .zero { stroke: var(--quiet); stroke-width: 1; }
    .strip .difference { stroke: var(--accent); stroke-width: 8; stroke-linecap: round; }
    .of-comparison .row { grid-template-columns: 230px minmax(120px, 1fr) 300px; }
    .gain { color: var(--good); } .loss { color: var(--warn); }
    .spoken {
      position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%);
    }
    details { margin-top: 14px; font-size: 13px; }
    summary { cursor: pointer; color: var(--accent); }
    details table { font-size: 13px; }

    .scroll { overflow-x: auto; margin-top: 8px; }
    table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
    th, td {
      padding: 6px 14px 6px 0; text-align: left; border-bottom: 1px solid var(--rule);
      vertical-align: top; font-weight: 400;
    }
    thead th {
      border-bottom-color: var(--quiet); color: var(--quiet); vertical-align: bottom;
    }
    thead th.number { min-width: 6em; white-space: normal; }
    thead button { background: none; border: 0; padding: 0; text-align: inherit; }
    thead button:hover { color: var(--ink); }
    [aria-sort] button { color: var(--ink); font-weight: 600; }
    [aria-sort=ascending] button::after { content: " ↑"; }
    [aria-sort=descending] button::after { content: " ↓"; }
    td.text { white-space: nowrap; }
    .number { text-align: right; padding-right: 26px; white-space: nowrap; }
    tbody th { overflow-wrap: anywhere; min-width: 9em; }
    tbody tr:hover { background: var(--soft); }
    .open {
      background: none; border: 0; padding: 0; color: var(--accent); text-align: left;
      overflow-wrap: anywhere;
    }
    .open:hover { text-decoration: underline; text-underline-offset: 3px; }
    .worst { white-space: nowrap; }
    .notes { color: var(--quiet); min-width: 10em; overflow-wrap: anywhere; }
    .failed, .flag {
      display: inline-block; padding: 0 7px; border-radius: 4px; color: var(--warn);
      background: var(--warn-soft); font-size: 12.5px;
    }
    .failed { font-weight: 600; border: 1px solid var(--warn); }
    dl {
      display: grid; grid-template-columns: minmax(120px, max-content) 1fr; gap: 4px 28px;
      font-size: 13px; margin: 14px 0 0;
    }
    dt { color: var(--quiet); }
    dd { margin: 0; overflow-wrap: anywhere; }
    #tip {
      position: fixed; z-index: 10; pointer-events: none; max-width: 320px; padding: 6px 10px;
      border-radius: 6px; background: #101214f2; color: #f2f2ef; font-size: 12.5px;
      line-height: 1.45; box-shadow: 0 2px 12px #0005; border: 1px solid #ffffff26; margin: 0;
      inset: auto; white-space: pre-line; overflow-wrap: anywhere;
    }

    dialog {
      width: 100vw; height: 100dvh; max-width: none; max-height: none; margin: 0; padding: 0;
      border: 0; background: var(--page); color: var(--ink); overflow: auto;
    }
    dialog[open] { display: flex; flex-direction: column; }
    .viewer-head {
      display: flex; align-items: center; gap: 10px; padding: 12px 20px; flex: none;
      border-bottom: 1px solid var(--rule);
    }
    .viewer-head h2 { flex: 1; overflow-wrap: anywhere; min-width: 0; }
    .viewer-body { flex: 1; min-height: 0; display: grid; grid-template-columns: 1fr 330px; }
    .stage { padding: 20px; min-width: 0; min-height: 0; overflow: auto; }
    .planes {
      display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 20px;
      align-items: end;
    }
    .about { grid-column: 1 / -1; order: 3; }
    .square .about { grid-column: auto; align-self: start; }
    .planes.enlarged { grid-template-columns: minmax(0, 1fr); justify-items: center; }
    .planes figure { margin: 0; min-width: 0; width: 100%; }
    .planes figure[hidden] { display: none; }
    .planes canvas {
      display: block; width: 100%; background: #000; border-radius: 4px; cursor: crosshair;
      touch-action: pan-y;
    }
    .planes figcaption {
      display: flex; justify-content: space-between; font-size: 13px; margin-top: 8px;
    }
    input[type=range] { width: 100%; margin: 4px 0 0; accent-color: var(--accent); }
    #message { margin: 0 0 14px; }
    #message:empty { display: none; }
    .readout {
      min-height: 3.2em; margin: 16px 0 0; font-size: 13.5px; border-top: 1px solid var(--rule);
      padding-top: 10px;
    }
    .help { font-size: 12.5px; color: var(--quiet); margin: 10px 0 0; }
    kbd {
      font: inherit; font-size: 11.5px; border: 1px solid var(--rule); border-radius: 4px;
      padding: 0 5px; background: var(--soft); color: var(--ink);
    }
    .side {
      border-left: 1px solid var(--rule); padding: 16px 20px; overflow: auto; font-size: 13px;
      min-height: 0;
    }
    .side fieldset { border: 0; margin: 0 0 16px; padding: 0; }
    .side fieldset label { display: flex; align-items: center; gap: 8px; padding: 2px 0; }
    .side fieldset kbd { margin-left: auto; }
    .sample { width: 26px; height: 14px; flex: none; border-radius: 3px; }
    .sample.prediction { background: #4fb0a080; border: 2px solid #4fb0a0; }
    .sample.reference { border: 2px dashed #fff; background: #333; outline: 1px solid #333; }
    .legend {
      display: grid; grid-template-columns: auto 1fr; gap: 2px 8px; margin: 4px 0 0 22px;
      color: var(--quiet); align-items: center;
    }
    .legend i { width: 26px; height: 14px; border-radius: 3px; background-color: #222; }
    .hatch-more {
      background-image: repeating-linear-gradient(135deg, #e69f00 0 2px, #0000 2px 6px);
    }
    .hatch-less {
      background-image: repeating-linear-gradient(45deg, #56b4e9 0 2px, #0000 2px 6px);
    }
    .hatch-other {
      background-image: repeating-linear-gradient(135deg, #cc79a7 0 2px, #0000 2px 6px),
        repeating-linear-gradient(45deg, #cc79a7 0 2px, #0000 2px 6px);
    }
    .side table { font-size: 12.5px; }
    .side th, .side td { padding: 3px 8px 3px 0; }
    .side td.number { padding-right: 0; }
    .side tbody button {
      background: none; border: 0; padding: 0; text-align: left; display: flex;
      align-items: baseline; overflow-wrap: anywhere;
    }
    .side tr.chosen { background: var(--soft); box-shadow: -8px 0 var(--soft); }
    .side tr.chosen button { font-weight: 600; }
    .side thead button { padding: 0; color: var(--accent); }
    .side thead button:hover { color: var(--accent); text-decoration: underline; }
    [hidden] { display: none !important; }

    @media (max-width: 1000px) {
      .viewer-body { display: block; overflow: auto; }
      .stage, .side { overflow: visible; }
      .side { border-left: 0; border-top: 1px solid var(--rule); }
    }
    @media (max-width: 700px) {
      main { padding: 28px 16px 64px; }
      h1 { font-size: 25px; }
      .tiles { grid-template-columns: 1fr 1fr; gap: 20px; }
      .tile .figure { font-size: 30px; }
      .row, .of-comparison .row {
        grid-template-columns: 1fr auto; gap: 0 12px; padding: 4px 0;
      }
      .of-comparison .row .mean { white-space: normal; text-align: right; }
      .row .strip, .row .ticks { grid-row: 2; grid-column: 1 / -1; margin: 0 8px; }
      .row.axis .mean { display: none; }
      dl { grid-template-columns: 1fr; }
      dd { margin-bottom: 8px; }
      .planes { grid-template-columns: 1fr; }
      .planes canvas { max-width: 420px; margin: 0 auto; }
      .stage { padding: 14px; }
      .help { display: none; }
    }
    @media print {
      @page { margin: 16mm 14mm; }
      body { font-size: 9pt; background: none; }
      main { max-width: none; padding: 0; }
      section { margin-top: 20pt; }
      .controls, dialog, #tip, #shown, .key, details:not([open]) { display: none !important; }
      .row, tr, .tile { break-inside: avoid; }
      h2 { break-after: avoid; }
      p.quiet, dl { font-size: 8pt; }
      .tiles { grid-template-columns: repeat(5, 1fr); gap: 10px 18px; padding: 14px 0; }
      .tile .figure { font-size: 20pt; }
      .tile h2, .tile p.quiet { font-size: 7.5pt; }
      .tile p.quiet { white-space: nowrap; }
      .row { min-height: 20px; font-size: 7.5pt; grid-template-columns: 176px 1fr 125px; }
      .row { gap: 24px; }
      .of-comparison .row { grid-template-columns: 176px 1fr 205px; }
      .strip svg { height: 20px; }
      .swatch { width: 8px; height: 8px; margin-right: 5px; vertical-align: 0; }
      table, .failed, .flag { font-size: 7.5pt; }
      th, td { padding: 3px 8px 3px 0; }
      .number { padding-right: 12px; }
      thead th.number { min-width: 0; }
      /* Chromium repeats a table's head on each page, but not the buttons in it. */
      thead button { display: contents; }
      .scroll { overflow: visible; }
      .open { color: inherit; }
      thead { display: table-header-group; }
      .strip *, .swatch, .failed, .flag {
        -webkit-print-color-adjust: exact; print-color-adjust: exact;
      }
    }
    @media (prefers-reduced-motion: no-preference) {
      tbody tr, .row { transition: background-color 0.12s; }
    }
    """#
