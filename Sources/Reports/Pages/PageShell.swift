import PageResources

/// The frame that all pages share: one file that needs nothing but a browser.
///
/// Its content policy allows no network, no form and, unless the page has scripts, no script.
struct PageShell {
    var title: String
    /// A sentence under the title; may be empty.
    var lead: String
    /// Style sheets beside the common one.
    var styles: [PageResource] = []
    /// The sections, in their order; empty ones are left out.
    var sections: [HTML]
    /// The elements after the sections, such as dialogs.
    var appendix: HTML = ""
    /// Scripts that run one after another in one scope; empty for a page without any.
    var scripts: [PageResource] = []
    /// The content of the element `data` that scripts read: JSON encoded for a script.
    var data: String?

    /// The page's text.
    var text: String {
        let style = ([PageResource.page] + styles).map(\.text).joined(separator: "\n")
        let html: HTML = """
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
            \(scripts.isEmpty ? nil : policyOfScripts)style-src 'unsafe-inline'; img-src data:; \
            base-uri 'none'; form-action 'none'">
            <title>\(title)</title>
            <style>
            \(markup: style)
            </style>
            </head>
            <body>
            <main>
            <header>
            <h1>\(title)</h1>
            \(lead.isEmpty ? nil : "<p class=\"lead\">\(lead)</p>" as HTML)
            </header>
            \(lines: sections.filter { !$0.isEmpty })
            </main>
            \(appendix)
            \(scriptElements)
            </body>
            </html>

            """
        return html.source
    }

    private var policyOfScripts: HTML { "script-src 'unsafe-inline' 'self' file:; " }

    private var scriptElements: HTML {
        guard !scripts.isEmpty else { return "" }
        let script = scripts.map(\.text).joined(separator: "\n")
        return """
            <script type="application/json" id="data">\(markup: data ?? "null")</script>
            <script>
            \(markup: script)
            </script>
            """
    }
}

extension HTML {
    /// A section with a heading.
    ///
    /// - Parameters:
    ///   - identifier: The heading's identifier in the page.
    ///   - title: The heading.
    ///   - controls: Fields beside it; may be empty.
    ///   - content: The section's body.
    /// - Returns: The section.
    static func section(
        _ identifier: String, _ title: String, controls: HTML = "", _ content: HTML
    ) -> HTML {
        let heading: HTML = "<h2 id=\"\(identifier)\">\(title)</h2>"
        return """
            <section aria-labelledby="\(identifier)">
            \(controls.isEmpty ? heading : "<div class=\"bar\">\(heading)\(controls)</div>" as HTML)
            \(content)
            </section>
            """
    }

    /// Names and values, such as where a page comes from; nothing where there are none.
    static func facts(_ facts: [(name: String, value: String)]) -> HTML {
        let lines = facts.map { "<dt>\($0.name)</dt><dd>\($0.value)</dd>" as HTML }
        return lines.isEmpty ? "" : "<dl>\(lines: lines)</dl>"
    }

    /// A choice between names, whose values are their positions.
    static func choice(_ label: String, id: String, of names: [String]) -> HTML {
        let options = names.enumerated().map { "<option value=\"\($0)\">\($1)</option>" as HTML }
        return "<label>\(label) <select id=\"\(id)\">\(options)</select></label>"
    }
}
