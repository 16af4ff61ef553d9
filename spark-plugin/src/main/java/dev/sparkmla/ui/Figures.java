package dev.sparkmla.ui;

/** Named figures, one beside the other. */
public final class Figures {
  private final StringBuilder html;

  /**
   * @param id of the element
   */
  public Figures(String id) {
    html = new StringBuilder("<div id=\"" + id + "\" class=\"d-flex flex-wrap\">");
  }

  /**
   * Adds one.
   *
   * @param name what it is
   * @param value its text
   */
  public Figures add(String name, String value) {
    html.append("<div class=\"me-4 mb-3\"><div class=\"small text-secondary\">")
        .append(HtmlText.escape(name))
        .append("</div><div class=\"fs-5\">")
        .append(HtmlText.escape(value))
        .append("</div></div>");
    return this;
  }

  /** All of them. */
  public String html() {
    return html + "</div>";
  }
}
