package dev.sparkmla.ui;

import dev.sparkmla.metrics.GenerationStore;
import jakarta.servlet.http.HttpServletRequest;
import java.util.List;
import org.apache.spark.ui.SparkUITab;
import org.apache.spark.ui.UIUtils;
import org.apache.spark.ui.WebUIPage;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;
import scala.xml.Node;
import scala.xml.Unparsed;

/**
 * The page about what an application generates: figures, runs, charts over time, executors, errors
 * and histograms. Thread-safe.
 */
final class GenerationPage extends WebUIPage {
  private final GenerationStore store;
  private final SparkUITab tab;

  GenerationPage(GenerationStore store, SparkUITab tab) {
    super("");
    this.store = store;
    this.tab = tab;
  }

  @Override
  public Seq<Node> render(HttpServletRequest request) {
    return UIUtils.headerSparkPage(
        request, "Generation", this::content, tab, Option.empty(), false, false, false);
  }

  private Seq<Node> content() {
    GenerationSections sections = GenerationSections.of(store);
    String html =
        sections.figures()
            + sections.runTable()
            + sections.chartsOverTime()
            + sections.executorTable()
            + sections.errorTable()
            + sections.histograms();
    return CollectionConverters.asScala(List.<Node>of(new Unparsed(html))).toSeq();
  }
}
