// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/vtk/vtk_widget.h"

#include <QElapsedTimer>
#include <QGuiApplication>
#include <QHash>
#include <QMouseEvent>
#include <QOffscreenSurface>
#include <QOpenGLContext>
#include <QOpenGLFramebufferObject>
#include <QOpenGLFunctions>
#include <QPainter>
#include <QSurfaceFormat>
#include <QTimer>
#include <QWheelEvent>

#include <vtkCallbackCommand.h>
#include <vtkCommand.h>
#include <vtkGenericOpenGLRenderWindow.h>
#include <vtkGenericRenderWindowInteractor.h>
#include <vtkInteractorObserver.h>
#include <vtkNew.h>
#include <vtkOpenGLState.h>
#include <vtkRenderer.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace tamis::views {
namespace {
using Callback = void(vtkObject*, unsigned long, void*, void*);

void observe(vtkObject* object, unsigned long event, Callback* callback, void* self)
{
    vtkNew<vtkCallbackCommand> command;
    command->SetCallback(callback);
    command->SetClientData(self);
    object->AddObserver(event, command);
}

const char* keyName(int key)
{
    switch (key) {
    case Qt::Key_Shift: return "Shift_L";
    case Qt::Key_Control: return "Control_L";
    case Qt::Key_Alt: return "Alt_L";
    case Qt::Key_Left: return "Left";
    case Qt::Key_Right: return "Right";
    case Qt::Key_Up: return "Up";
    case Qt::Key_Down: return "Down";
    default: return nullptr;
    }
}

int devicePixels(double logical, double ratio) { return std::max(1, static_cast<int>(std::lround(logical * ratio))); }

QSurfaceFormat coreFormat()
{
    QSurfaceFormat format;
    format.setRenderableType(QSurfaceFormat::OpenGL);
    format.setVersion(3, 2); // what VTK 9.1's OpenGL2 back end needs
    format.setProfile(QSurfaceFormat::CoreProfile);
    format.setDepthBufferSize(24);
    format.setStencilBufferSize(8);
    format.setSamples(0); // VTK multisamples in its own frame buffer
    return format;
}

bool canMakeContext()
{
    const QString platform = QGuiApplication::platformName();
    if (platform == QLatin1String("offscreen") || platform == QLatin1String("minimal"))
        return false;
    QOpenGLContext context;
    context.setFormat(coreFormat());
    if (!context.create())
        return false;
    QOffscreenSurface surface;
    surface.setFormat(context.format());
    surface.create();
    if (!surface.isValid() || !context.makeCurrent(&surface))
        return false;
    const auto version = context.format().version();
    context.doneCurrent();
    return version >= qMakePair(3, 2);
}
} // namespace

struct VtkWidget::Scene {
    vtkNew<vtkGenericOpenGLRenderWindow> window;
    vtkNew<vtkGenericRenderWindowInteractor> interactor;
    QHash<int, QTimer*> timers; ///< by VTK's timer id
    qint64 frames = 0;
    double lastFrameMilliseconds = 0;
    QOffscreenSurface surface;
    QOpenGLContext context;
    std::unique_ptr<QOpenGLFramebufferObject> target; ///< of the size of the picture
    QImage picture;
    bool glReady = false, painting = false;
    bool asked = true; ///< for a frame
    QPointF pressedAt;
    bool mayBeClick = false;
};

bool VtkWidget::available()
{
    static const bool possible = canMakeContext();
    return possible;
}

VtkWidget::VtkWidget(QWidget* parent) : QWidget(parent), m_scene(std::make_unique<Scene>())
{
    setAttribute(Qt::WA_OpaquePaintEvent);
    setFocusPolicy(Qt::StrongFocus);
    setMouseTracking(true);
    setMinimumSize(64, 64);

    auto* window = m_scene->window.GetPointer();
    observe(window, vtkCommand::WindowMakeCurrentEvent, &VtkWidget::onMakeCurrent, this);
    observe(window, vtkCommand::WindowIsCurrentEvent, &VtkWidget::onIsCurrent, this);
    observe(window, vtkCommand::WindowSupportsOpenGLEvent, &VtkWidget::onSupportsOpenGL, this);
    observe(window, vtkCommand::WindowIsDirectEvent, &VtkWidget::onSupportsOpenGL, this);
    observe(window, vtkCommand::CursorChangedEvent, &VtkWidget::onCursor, this);
    window->SetFrameBlitMode(vtkOpenGLRenderWindow::NoBlit); // render() says where the finished picture goes
    window->SetMultiSamples(0);                              // slow in software drawing
    window->SetOwnContext(0);

    auto* interactor = m_scene->interactor.GetPointer();
    interactor->SetRenderWindow(window);
    interactor->EnableRenderOff(); // no style renders on its own
    observe(interactor, vtkCommand::RenderEvent, &VtkWidget::onRender, this);
    observe(interactor, vtkCommand::CreateTimerEvent, &VtkWidget::onCreateTimer, this);
    observe(interactor, vtkCommand::DestroyTimerEvent, &VtkWidget::onDestroyTimer, this);
    interactor->TimerEventResetsTimerOff(); // a QTimer repeats by itself
    interactor->Initialize();
}

VtkWidget::~VtkWidget()
{
    if (m_scene->glReady && makeCurrent()) { // VTK lets go of its objects before the context goes
        m_scene->window->Finalize();
        m_scene->target.reset();
        m_scene->context.doneCurrent();
    }
    m_scene->window->SetReadyForRendering(false);
    m_scene->window->RemoveAllObservers();
    m_scene->interactor->RemoveAllObservers();
    m_scene->interactor->SetInteractorStyle(nullptr);
    m_scene->interactor->SetRenderWindow(nullptr);
}

vtkGenericOpenGLRenderWindow* VtkWidget::renderWindow() const { return m_scene->window; }
vtkRenderWindowInteractor* VtkWidget::interactor() const { return m_scene->interactor; }
qint64 VtkWidget::frames() const noexcept { return m_scene->frames; }
double VtkWidget::lastFrameMilliseconds() const noexcept { return m_scene->lastFrameMilliseconds; }

vtkRenderer* VtkWidget::addRenderer()
{
    vtkNew<vtkRenderer> renderer;
    m_scene->window->AddRenderer(renderer);
    return renderer;
}

void VtkWidget::setInteractorStyle(vtkInteractorObserver* style) { m_scene->interactor->SetInteractorStyle(style); }

QImage VtkWidget::snapshot()
{
    render();
    return m_scene->picture;
}

void VtkWidget::scheduleRender()
{
    m_scene->asked = true;
    update();
}

bool VtkWidget::makeCurrent() { return m_scene->context.isValid() && m_scene->context.makeCurrent(&m_scene->surface); }

/// With the first frame, so that one that is never shown has no OpenGL.
void VtkWidget::initialize()
{
    m_scene->context.setFormat(coreFormat());
    if (!m_scene->context.create())
        return;
    m_scene->surface.setFormat(m_scene->context.format());
    m_scene->surface.create();
    if (!makeCurrent())
        return;
    m_scene->window->SetForceMaximumHardwareLineWidth(1);
    m_scene->window->SetReadyForRendering(true);
    m_scene->window->InitializeFromCurrentContext();
    m_scene->glReady = true;
}

void VtkWidget::syncSize()
{
    const double ratio = devicePixelRatioF();
    const int w = devicePixels(width(), ratio), h = devicePixels(height(), ratio);
    m_scene->window->SetSize(w, h);
    m_scene->window->SetDPI(static_cast<int>(std::lround(72 * ratio))); // texts and scalar bars follow the screen
    m_scene->interactor->SetSize(w, h);
    m_scene->target = std::make_unique<QOpenGLFramebufferObject>(w, h);
    emit sizeChanged(QSize(w, h), ratio);
    m_scene->interactor->InvokeEvent(vtkCommand::ConfigureEvent);
}

void VtkWidget::render()
{
    m_scene->asked = false;
    if (!m_scene->glReady)
        initialize();
    if (!m_scene->glReady || !makeCurrent())
        return;
    QElapsedTimer timer;
    timer.start();
    const double ratio = devicePixelRatioF();
    if (const QSize size(devicePixels(width(), ratio), devicePixels(height(), ratio)); !m_scene->target || m_scene->target->size() != size)
        syncSize();
    auto* gl = m_scene->context.functions();
    auto* window = m_scene->window.GetPointer();
    m_scene->painting = true;
    auto* state = window->GetState();
    state->Reset(); // VTK caches OpenGL's state; what follows its frame changes it
    state->Push();
    state->vtkglDepthFunc(GL_LEQUAL);
    window->Render();
    state->Pop();
    // VTK's display buffer, multisampled or not -> one that can be read.
    gl->glBindFramebuffer(GL_DRAW_FRAMEBUFFER, m_scene->target->handle());
    gl->glDisable(GL_SCISSOR_TEST);
    const int w = m_scene->target->width(), h = m_scene->target->height();
    window->BlitDisplayFramebuffer(0, 0, 0, w, h, 0, 0, w, h, GL_COLOR_BUFFER_BIT, GL_NEAREST);
    m_scene->picture = m_scene->target->toImage();
    m_scene->picture.reinterpretAsFormat(QImage::Format_RGB32); // whatever its alpha is, nothing shines through
    m_scene->picture.setDevicePixelRatio(ratio);
    m_scene->painting = false;
    m_scene->context.doneCurrent();
    ++m_scene->frames;
    m_scene->lastFrameMilliseconds = static_cast<double>(timer.nsecsElapsed()) * 1e-6;
    emit frameDone(m_scene->lastFrameMilliseconds);
}

void VtkWidget::paintEvent(QPaintEvent*)
{
    const double ratio = devicePixelRatioF();
    if (m_scene->asked || m_scene->picture.devicePixelRatio() != ratio || m_scene->picture.size() != QSize(devicePixels(width(), ratio), devicePixels(height(), ratio)))
        render();
    QPainter painter(this);
    if (m_scene->picture.isNull())
        painter.fillRect(rect(), palette().window());
    painter.drawImage(QPointF(0, 0), m_scene->picture);
}

void VtkWidget::onMakeCurrent(vtkObject*, unsigned long, void* self, void*)
{
    auto* widget = static_cast<VtkWidget*>(self);
    if (!widget->m_scene->painting)
        widget->makeCurrent();
}

void VtkWidget::onIsCurrent(vtkObject*, unsigned long, void* self, void* answer)
{
    auto* widget = static_cast<VtkWidget*>(self);
    *static_cast<bool*>(answer) = widget->m_scene->context.isValid() && QOpenGLContext::currentContext() == &widget->m_scene->context;
}

void VtkWidget::onSupportsOpenGL(vtkObject*, unsigned long, void*, void* answer) { *static_cast<int*>(answer) = 1; }
void VtkWidget::onRender(vtkObject*, unsigned long, void* self, void*) { static_cast<VtkWidget*>(self)->scheduleRender(); }

void VtkWidget::onCursor(vtkObject*, unsigned long, void* self, void* shape)
{
    static constexpr std::array shapes{Qt::ArrowCursor,     Qt::ArrowCursor,   Qt::SizeBDiagCursor,    Qt::SizeFDiagCursor,
                                       Qt::SizeFDiagCursor, Qt::SizeBDiagCursor, Qt::SizeVerCursor,    Qt::SizeHorCursor,
                                       Qt::SizeAllCursor,   Qt::PointingHandCursor, Qt::CrossCursor}; // in VTK's order
    const int wanted = shape ? *static_cast<int*>(shape) : 0;
    const bool known = wanted >= 0 && static_cast<std::size_t>(wanted) < shapes.size();
    static_cast<VtkWidget*>(self)->setCursor(known ? shapes[static_cast<std::size_t>(wanted)] : Qt::ArrowCursor);
}

void VtkWidget::onCreateTimer(vtkObject*, unsigned long, void* self, void* id)
{
    auto* widget = static_cast<VtkWidget*>(self);
    const int timerId = id ? *static_cast<int*>(id) : 0;
    auto* interactor = widget->m_scene->interactor.GetPointer();
    auto* timer = new QTimer(widget);
    timer->setSingleShot(interactor->IsOneShotTimer(timerId));
    connect(timer, &QTimer::timeout, widget, [widget, timerId] {
        int fired = timerId;
        widget->m_scene->interactor->InvokeEvent(vtkCommand::TimerEvent, &fired);
    });
    timer->start(static_cast<int>(std::max(1UL, interactor->GetTimerDuration(timerId))));
    delete widget->m_scene->timers.take(timerId);
    widget->m_scene->timers.insert(timerId, timer);
}

void VtkWidget::onDestroyTimer(vtkObject*, unsigned long, void* self, void* id)
{
    auto* widget = static_cast<VtkWidget*>(self);
    if (auto* timer = widget->m_scene->timers.take(id ? *static_cast<int*>(id) : 0))
        timer->deleteLater();
}

void VtkWidget::feedPosition(const QPointF& position, Qt::KeyboardModifiers modifiers, bool repeat)
{
    const double ratio = devicePixelRatioF();
    m_scene->interactor->SetEventInformationFlipY(static_cast<int>(std::lround(position.x() * ratio)),
                                                  static_cast<int>(std::lround(position.y() * ratio)),
                                                  modifiers.testFlag(Qt::ControlModifier), modifiers.testFlag(Qt::ShiftModifier),
                                                  0, repeat ? 1 : 0, nullptr);
    m_scene->interactor->SetAltKey(modifiers.testFlag(Qt::AltModifier));
}

bool VtkWidget::mouseButton(QMouseEvent* event)
{
    const bool up = event->type() == QEvent::MouseButtonRelease;
    feedPosition(event->position(), event->modifiers(), event->type() == QEvent::MouseButtonDblClick);
    unsigned long vtkEvent = vtkCommand::NoEvent;
    switch (event->button()) {
    case Qt::LeftButton: vtkEvent = up ? vtkCommand::LeftButtonReleaseEvent : vtkCommand::LeftButtonPressEvent; break;
    case Qt::MiddleButton: vtkEvent = up ? vtkCommand::MiddleButtonReleaseEvent : vtkCommand::MiddleButtonPressEvent; break;
    case Qt::RightButton: vtkEvent = up ? vtkCommand::RightButtonReleaseEvent : vtkCommand::RightButtonPressEvent; break;
    default: return false;
    }
    m_scene->interactor->InvokeEvent(vtkEvent);
    const bool left = event->button() == Qt::LeftButton;
    if (up && left && m_scene->mayBeClick)
        emit clicked(m_scene->pressedAt);
    m_scene->mayBeClick = !up && left && event->type() == QEvent::MouseButtonPress;
    if (!up)
        m_scene->pressedAt = event->position();
    event->accept();
    return true;
}

void VtkWidget::key(QKeyEvent* event)
{
    if (event->key() == Qt::Key_E || event->key() == Qt::Key_Q)
        return; // VTK's bindings would end the program
    const bool up = event->type() == QEvent::KeyRelease;
    const QByteArray text = event->text().toLatin1();
    const char* name = keyName(event->key());
    m_scene->interactor->SetKeyEventInformation(event->modifiers().testFlag(Qt::ControlModifier),
                                                event->modifiers().testFlag(Qt::ShiftModifier), text.isEmpty() ? '\0' : text[0],
                                                event->count(), name ? name : text.constData());
    m_scene->interactor->InvokeEvent(up ? vtkCommand::KeyReleaseEvent : vtkCommand::KeyPressEvent);
    if (!up && !text.isEmpty())
        m_scene->interactor->InvokeEvent(vtkCommand::CharEvent);
}

bool VtkWidget::event(QEvent* event)
{
    auto* interactor = m_scene->interactor.GetPointer();
    if (!interactor->GetEnabled())
        return QWidget::event(event);
    switch (event->type()) {
    case QEvent::MouseButtonPress:
    case QEvent::MouseButtonDblClick:
    case QEvent::MouseButtonRelease:
        if (mouseButton(static_cast<QMouseEvent*>(event)))
            return true;
        break;
    case QEvent::MouseMove: {
        auto* mouse = static_cast<QMouseEvent*>(event);
        if ((mouse->position() - m_scene->pressedAt).manhattanLength() > kClickTolerance)
            m_scene->mayBeClick = false;
        feedPosition(mouse->position(), mouse->modifiers());
        interactor->InvokeEvent(vtkCommand::MouseMoveEvent);
        event->accept();
        return true;
    }
    case QEvent::Wheel: {
        auto* wheel = static_cast<QWheelEvent*>(event);
        feedPosition(wheel->position(), wheel->modifiers());
        if (const int turned = wheel->angleDelta().y(); turned != 0)
            interactor->InvokeEvent(turned > 0 ? vtkCommand::MouseWheelForwardEvent : vtkCommand::MouseWheelBackwardEvent);
        event->accept();
        return true;
    }
    case QEvent::Enter: interactor->InvokeEvent(vtkCommand::EnterEvent); break;
    case QEvent::Leave: interactor->InvokeEvent(vtkCommand::LeaveEvent); break;
    case QEvent::KeyPress:
    case QEvent::KeyRelease: key(static_cast<QKeyEvent*>(event)); break;
    default: break;
    }
    return QWidget::event(event);
}

} // namespace tamis::views
