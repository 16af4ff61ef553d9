package dev.sparkmla.plugin;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the configuration page from {@link MlaConf}. */
public final class ConfigurationDoc {
  private ConfigurationDoc() {}

  /**
   * Writes the page.
   *
   * @param args the file to write
   */
  public static void main(String[] args) throws IOException {
    if (args.length != 1) {
      throw new IllegalArgumentException("expected one argument, the file to write");
    }
    Files.writeString(Path.of(args[0]), page());
  }

  /** The page, in Markdown. */
  static String page() {
    StringBuilder page = new StringBuilder();
    page.append(
        """
        # Configuration

        This page is generated from `MlaConf`; a test fails when it is stale.

        These settings of Spark bring Spark MLA into an application:

        | Setting | Value |
        |---|---|
        | `spark.plugins` | `dev.sparkmla.plugin.MlaPlugin` |
        | `spark.sql.extensions` | `dev.sparkmla.sql.MlaExtensions` |
        | `spark.resources.discoveryPlugin` | `dev.sparkmla.plugin.GpuDiscovery`, where Spark assigns GPUs |

        An unknown key that begins with `spark.mla.`, or a wrong value, ends the application as it
        starts, with an error that names the key, the value and what was expected.

        | Setting | Default | Expected | Meaning | Changes with `SET` |
        |---|---|---|---|---|
        """);
    for (ConfEntry<?> entry : MlaConf.entries()) {
      page.append("| `")
          .append(entry.key())
          .append("` | ")
          .append(entry.defaultText().map(text -> "`" + text + "`").orElse("required"))
          .append(" | ")
          .append(entry.expected())
          .append(" | ")
          .append(entry.doc())
          .append(" | ")
          .append(entry.session() ? "yes" : "no")
          .append(" |\n");
    }
    return page.toString();
  }
}
