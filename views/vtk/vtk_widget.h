// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A VTK 9.1 scene in a Qt 6 widget. (Debian's vtkGUISupportQt is built with Qt 5 and must not be linked.)
#include <QImage>
#include <QWidget>

#include <memory>

class vtkGenericOpenGLRenderWindow;
class vtkInteractorObserver;
class vtkObject;
class vtkRenderer;
class vtkRenderWindowInteractor;

namespace tamis::views {

/// Renders out of sight into a picture that is painted as any other, and no QOpenGLWidget: one of these makes OpenGL compose the whole
/// window at every repaint, which without a graphics card takes more than painting it. Renders when it is painted and a frame was asked
/// for: interactor styles that ask for one get scheduleRender(), so that many moves make one frame. Positions and sizes given to VTK are
/// device pixels. GUI thread. Where available() is false no object may be created.
class VtkWidget : public QWidget {
    Q_OBJECT
public:
    explicit VtkWidget(QWidget* parent = nullptr);
    ~VtkWidget() override;

    /// An OpenGL 3.2 core context can be made, and the platform has a screen (not "offscreen", not "minimal").
    static bool available();

    vtkGenericOpenGLRenderWindow* renderWindow() const; ///< owned by this
    vtkRenderWindowInteractor* interactor() const;      ///< owned by this
    vtkRenderer* addRenderer();                         ///< owned by the window
    void setInteractorStyle(vtkInteractorObserver* style); ///< shares ownership
    /// The next frame, also of a hidden widget, in device pixels.
    QImage snapshot();
    qint64 frames() const noexcept; ///< painted so far
    double lastFrameMilliseconds() const noexcept;

public slots:
    void scheduleRender();

signals:
    void frameDone(double milliseconds);
    void sizeChanged(const QSize& devicePixels, double ratio); ///< before the frame that is drawn in this size
    /// Left button pressed and released within kClickTolerance logical pixels; logical coordinates.
    void clicked(const QPointF& position);

protected:
    void paintEvent(QPaintEvent* event) override;
    bool event(QEvent* event) override;

private:
    struct Scene;
    static constexpr double kClickTolerance = 3;
    static void onMakeCurrent(vtkObject*, unsigned long, void* self, void*);
    static void onIsCurrent(vtkObject*, unsigned long, void* self, void* answer);
    static void onSupportsOpenGL(vtkObject*, unsigned long, void* self, void* answer);
    static void onRender(vtkObject*, unsigned long, void* self, void*);
    static void onCreateTimer(vtkObject*, unsigned long, void* self, void* id);
    static void onDestroyTimer(vtkObject*, unsigned long, void* self, void* id);
    static void onCursor(vtkObject*, unsigned long, void* self, void* shape);
    void initialize();
    bool makeCurrent();
    void render();
    void syncSize();
    void feedPosition(const QPointF& position, Qt::KeyboardModifiers modifiers, bool repeat = false);
    bool mouseButton(QMouseEvent* event);
    void key(QKeyEvent* event);

    std::unique_ptr<Scene> m_scene;
};

} // namespace tamis::views
