package dev.sparkmla.ui;

/** Named figures in lines, one below the other, in HTML. All texts are escaped. Not thread-safe. */
public final class Figures {
  private final StringBuilder html;

  /**
   * @param id the id of the HTML element
   */
  public Figures(String id) {
    html = new StringBuilder("<div id=\"" + id + "\" class=\"d-flex flex-wrap\">");
  }

  /**
   * Adds a figure.
   *
   * @param name the name of the figure
   * @param value the figure as a text
   * @param explanation what is shown while the pointer is on the figure; empty for nothing
   */
  public Figures add(String name, String value, String explanation) {
    html.append("<div class=\"me-4 mb-3\" style=\"min-width: 10rem\"")
        .append(HtmlText.explanation(explanation))
        .append("><div class=\"small text-secondary\">")
        .append(HtmlText.escape(name))
        .append("</div><div class=\"fs-5\">")
        .append(HtmlText.escape(value))
        .append("</div></div>");
    return this;
  }

  /** Lets the next figure begin a new line. */
  public Figures newLine() {
    html.append("<div class=\"w-100\"></div>");
    return this;
  }

  /** The HTML element with all figures. */
  public String html() {
    return html + "</div>";
  }
}
