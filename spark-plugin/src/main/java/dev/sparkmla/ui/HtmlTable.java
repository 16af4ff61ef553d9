package dev.sparkmla.ui;

import java.util.List;

/** A table in HTML. All texts are escaped. Not thread-safe. */
public final class HtmlTable {
  private final StringBuilder html = new StringBuilder();

  /**
   * @param id the id of the HTML element
   * @param titles the titles of the columns
   */
  public HtmlTable(String id, List<String> titles) {
    html.append("<table id=\"")
        .append(id)
        .append("\" class=\"table table-bordered table-sm table-striped\"><thead><tr>");
    titles.forEach(title -> html.append("<th>").append(HtmlText.escape(title)).append("</th>"));
    html.append("</tr></thead><tbody>");
  }

  /** Adds a row with a text for each column. */
  public HtmlTable row(List<String> cells) {
    html.append("<tr>");
    cells.forEach(cell -> html.append("<td>").append(HtmlText.escape(cell)).append("</td>"));
    html.append("</tr>");
    return this;
  }

  /** The whole table. */
  public String html() {
    return html + "</tbody></table>";
  }
}
