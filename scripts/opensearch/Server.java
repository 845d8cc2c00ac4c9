import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;

/**
 * A single-node OpenSearch on a port of the loopback interface, over HTTP and without security: for tests. It starts
 * the node itself, because OpenSearch's own main class refuses to run as root.
 *
 * <pre>java -cp ... Server HOME PORT</pre>
 */
public final class Server {
  private static final List<Class<? extends Plugin>> PLUGINS =
      List.of(
          org.opensearch.transport.Netty4Plugin.class,
          org.opensearch.analysis.common.CommonAnalysisPlugin.class,
          org.opensearch.painless.PainlessPlugin.class,
          org.opensearch.knn.plugin.KNNPlugin.class);

  private static final class TestNode extends Node {
    TestNode(Environment environment) {
      super(environment, PLUGINS, false);
    }
  }

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]);
    Settings settings =
        Settings.builder()
            .put("path.home", home)
            .put("cluster.name", "lorehook-test")
            .put("node.name", "test")
            .put("discovery.type", "single-node")
            .put("http.type", "netty4")
            .put("transport.type", "netty4")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("transport.port", "0")
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .put("node.processors", 2)
            .build();
    Node node = new TestNode(InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "test"));
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    node.close();
                  } catch (Exception e) {
                    e.printStackTrace();
                  }
                }));
    node.start();
    Thread.currentThread().join();
  }
}
