package dev.sparkmla.ui;

import java.util.List;

/**
 * A table in HTML. All texts are escaped. On Spark's pages, a click on a column's title sorts the
 * rows by it. Not thread-safe.
 */
public final class HtmlTable {
  /**
   * A column. Immutable.
   *
   * @param title what stands above it
   * @param explanation what is shown while the pointer is on the title; empty for nothing
   * @param isNumeric whether it has numbers, all in one unit: they are aligned at the right and
   *     sorted by their values
   */
  public record Column(String title, String explanation, boolean isNumeric) {
    /** A column of texts. */
    public static Column ofTexts(String title) {
      return new Column(title, "", false);
    }

    /** A column of numbers. */
    public static Column ofNumbers(String title) {
      return new Column(title, "", true);
    }

    /** The same column with an explanation. */
    public Column explained(String text) {
      return new Column(title, text, isNumeric);
    }
  }

  private final List<Column> columns;
  private final StringBuilder html = new StringBuilder();

  /**
   * @param id the id of the HTML element
   * @param columns from left to right
   */
  public HtmlTable(String id, List<Column> columns) {
    this.columns = List.copyOf(columns);
    html.append("<div class=\"table-responsive\"><table id=\"")
        .append(id)
        .append("\" class=\"table table-bordered table-sm table-striped sortable\"><thead><tr>");
    for (Column column : this.columns) {
      html.append(column.isNumeric ? "<th class=\"text-end sorttable_numeric\"" : "<th")
          .append(HtmlText.explanation(column.explanation))
          .append('>')
          .append(HtmlText.escape(column.title))
          .append("</th>");
    }
    html.append("</tr></thead><tbody>");
  }

  /** Adds a row with a text for each column. */
  public HtmlTable row(List<String> cells) {
    html.append("<tr>");
    for (int i = 0; i < cells.size(); i++) {
      html.append(columns.get(i).isNumeric ? "<td class=\"text-end\">" : "<td>")
          .append(HtmlText.escape(cells.get(i)))
          .append("</td>");
    }
    html.append("</tr>");
    return this;
  }

  /** The whole table. */
  public String html() {
    return html + "</tbody></table></div>";
  }
}
